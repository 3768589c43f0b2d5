/* What all programs share: number types, and a generator of pseudo-random numbers.
 *
 * Each program is one file with one function for the outside. It does its work `iterations` times on the buffer, which
 * the harness fills with the same pseudo-random bytes for every engine, and returns a number that depends on all of
 * it. Nothing else is called: no C library, and no tables that are made at load time. */
#ifndef BENCH_H
#define BENCH_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char i8;
typedef short i16;
typedef int i32;
typedef long long i64;

#define noinline __attribute__((noinline))

u64 bench(void *buffer, u64 iterations);

static inline u32 rol32(u32 value, u32 count)
{
	return value << (count & 31) | value >> (-count & 31);
}

static inline u64 rol64(u64 value, u64 count)
{
	return value << (count & 63) | value >> (-count & 63);
}

/* Marsaglia's xorshift. */
static inline u32 next_random(u32 *state)
{
	u32 x = *state;
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return *state = x;
}

/* Adds a word to a checksum. */
static inline u64 mix(u64 sum, u64 word)
{
	return (rol64(sum, 5) ^ word) * 0x9e3779b97f4a7c15ULL;
}

#endif
