/* What programs of floats share beside `bench.h`: numbers from the buffer's bytes, and checksums of bit patterns. */
#ifndef FLOAT_H
#define FLOAT_H

#include "bench.h"

double sqrt(double);
double fabs(double);
double floor(double);
float sqrtf(float);

/* The next number of [0, 1). */
static inline double unit(u32 *state)
{
	return (double)(next_random(state) >> 8) * 0x1p-24;
}

/* A generator's state from the buffer: never 0. */
static inline u32 seed(const void *buffer)
{
	return *(const u32 *)buffer | 1;
}

static inline void fill(double *to, u32 count, u32 *state)
{
	for (u32 i = 0; i < count; i++)
		to[i] = unit(state);
}

static inline void fill_f32(float *to, u32 count, u32 *state)
{
	for (u32 i = 0; i < count; i++)
		to[i] = (float)unit(state);
}

/* Adds a number's bits to a checksum. */
static inline u64 mix_f64(u64 sum, double number)
{
	union {
		double number;
		u64 bits;
	} as = {number};
	return mix(sum, as.bits);
}

static inline u64 mix_f32(u64 sum, float number)
{
	union {
		float number;
		u32 bits;
	} as = {number};
	return mix(sum, as.bits);
}

/* e to the power of a number in [-700, 700]. */
static inline double exponential(double x)
{
	double whole = floor(x * 1.4426950408889634 + 0.5), r = x - whole * 0.6931471805599453, sum = 1.0;
	for (i32 n = 12; n > 0; n--)
		sum = 1.0 + sum * r / (double)n;
	union {
		u64 bits;
		double number;
	} scale = {(u64)((i64)whole + 1023) << 52};
	return sum * scale.number;
}

/* The natural logarithm of a normal positive number. */
static inline double logarithm(double x)
{
	union {
		double number;
		u64 bits;
	} as = {x};
	i64 exponent = (i64)(as.bits >> 52) - 1023;
	as.bits = (as.bits & 0xfffffffffffffULL) | 1023ULL << 52;
	double z = (as.number - 1.0) / (as.number + 1.0), square = z * z, sum = 0.0;
	for (i32 n = 15; n > 0; n -= 2)
		sum = sum * square + 1.0 / (double)n;
	return 2.0 * z * sum + (double)exponent * 0.6931471805599453;
}

#endif
