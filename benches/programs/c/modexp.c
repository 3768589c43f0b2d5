/* A power modulo a number of 256 bits, by Montgomery's multiplication with 32-bit digits. */
#include "bench.h"

enum { DIGITS = 8 };

static noinline void multiply(const u32 *a, const u32 *b, const u32 *modulus, u32 inverse, u32 *result)
{
	u32 t[DIGITS + 2] = { 0 };
	for (u32 i = 0; i < DIGITS; i++) {
		u64 carry = 0;
		for (u32 j = 0; j < DIGITS; j++) {
			carry += (u64)a[j] * b[i] + t[j];
			t[j] = (u32)carry;
			carry >>= 32;
		}
		carry += t[DIGITS];
		t[DIGITS] = (u32)carry;
		t[DIGITS + 1] = (u32)(carry >> 32);
		u32 m = t[0] * inverse;
		carry = ((u64)m * modulus[0] + t[0]) >> 32;
		for (u32 j = 1; j < DIGITS; j++) {
			carry += (u64)m * modulus[j] + t[j];
			t[j - 1] = (u32)carry;
			carry >>= 32;
		}
		carry += t[DIGITS];
		t[DIGITS - 1] = (u32)carry;
		t[DIGITS] = t[DIGITS + 1] + (u32)(carry >> 32);
	}
	/* Subtract the modulus if it is not greater. */
	u64 borrow = 0;
	u32 less[DIGITS];
	for (u32 j = 0; j < DIGITS; j++) {
		borrow = (u64)t[j] - modulus[j] - borrow;
		less[j] = (u32)borrow;
		borrow = borrow >> 63;
	}
	int keep = t[DIGITS] < borrow;
	for (u32 j = 0; j < DIGITS; j++)
		result[j] = keep ? t[j] : less[j];
}

u64 bench(void *buffer, u64 iterations)
{
	u32 *base = buffer, *modulus = base + DIGITS, *power = modulus + DIGITS, *exponent = power + DIGITS;
	modulus[0] |= 1;
	modulus[DIGITS - 1] |= 0x80000000;
	u32 inverse = 1;
	for (u32 i = 0; i < 5; i++)
		inverse *= 2 - modulus[0] * inverse;
	inverse = -inverse;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 j = 0; j < DIGITS; j++)
			power[j] = base[j];
		for (u32 bit = 0; bit < 32; bit++) {
			multiply(power, power, modulus, inverse, power);
			if (exponent[0] >> bit & 1)
				multiply(power, base, modulus, inverse, power);
		}
		exponent[0] += power[0] | 1;
		for (u32 j = 0; j < DIGITS; j++)
			sum = mix(sum, power[j]);
	}
	return sum;
}
