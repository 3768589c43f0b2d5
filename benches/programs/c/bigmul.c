/* The product of two numbers of 1,024 bits, by 32-bit digits. */
#include "bench.h"

enum { DIGITS = 32 };

static noinline void multiply(const u32 *a, const u32 *b, u32 *product)
{
	for (u32 i = 0; i < 2 * DIGITS; i++)
		product[i] = 0;
	for (u32 i = 0; i < DIGITS; i++) {
		u64 carry = 0;
		for (u32 j = 0; j < DIGITS; j++) {
			carry += (u64)a[i] * b[j] + product[i + j];
			product[i + j] = (u32)carry;
			carry >>= 32;
		}
		product[i + DIGITS] = (u32)carry;
	}
}

u64 bench(void *buffer, u64 iterations)
{
	u32 *a = buffer, *b = a + DIGITS, *product = b + DIGITS;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		multiply(a, b, product);
		sum = mix(sum, product[n % (2 * DIGITS)]);
		a[n % DIGITS] ^= product[DIGITS];
	}
	return sum;
}
