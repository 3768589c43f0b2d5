/* The product of two matrices of 32 by 32 integers. */
#include "bench.h"

enum { SIDE = 32 };

static noinline void multiply(const i32 *a, const i32 *b, i32 *c)
{
	for (u32 i = 0; i < SIDE; i++)
		for (u32 j = 0; j < SIDE; j++) {
			i32 sum = 0;
			for (u32 k = 0; k < SIDE; k++)
				sum += a[i * SIDE + k] * b[k * SIDE + j];
			c[i * SIDE + j] = sum;
		}
}

u64 bench(void *buffer, u64 iterations)
{
	i32 *a = buffer, *b = a + SIDE * SIDE, *c = b + SIDE * SIDE;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		multiply(a, b, c);
		a[n % (SIDE * SIDE)] += c[n * 7 % (SIDE * SIDE)];
		sum = mix(sum, (u32)c[n * 31 % (SIDE * SIDE)]);
	}
	return sum;
}
