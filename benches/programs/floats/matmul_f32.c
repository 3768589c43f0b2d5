/* The product of two matrices of 32 by 32 numbers of type float. */
#include "float.h"

enum { SIDE = 32 };

static noinline void multiply(const float *a, const float *b, float *c)
{
	for (u32 i = 0; i < SIDE; i++)
		for (u32 j = 0; j < SIDE; j++) {
			float sum = 0;
			for (u32 k = 0; k < SIDE; k++)
				sum += a[i * SIDE + k] * b[k * SIDE + j];
			c[i * SIDE + j] = sum;
		}
}

u64 bench(void *buffer, u64 iterations)
{
	float *a = buffer, *b = a + SIDE * SIDE, *c = b + SIDE * SIDE;
	u32 state = seed(buffer);
	u64 sum = 0;
	fill_f32(a, 2 * SIDE * SIDE, &state);
	for (u64 n = 0; n < iterations; n++) {
		multiply(a, b, c);
		a[n % (SIDE * SIDE)] = c[n * 7 % (SIDE * SIDE)] * (float)0.03125;
		sum = mix_f32(sum, c[n * 31 % (SIDE * SIDE)]);
	}
	return sum;
}
