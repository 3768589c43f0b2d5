/* The product of two matrices of 24 by 24 integers, row by row. */
#include "bench.h"

enum { N = 24 };

static noinline void multiply(i32 *to, const i32 *a, const i32 *b, u32 n)
{
	for (u32 i = 0; i < n; i++)
		for (u32 k = 0; k < n; k++) {
			i32 factor = a[i * n + k];
			for (u32 j = 0; j < n; j++)
				to[i * n + j] += factor * b[k * n + j];
		}
}

u64 bench(void *buffer, u64 iterations)
{
	i32 *a = buffer, *b = a + N * N, *c = b + N * N;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		multiply(c, a, b, N - (n & 1));
		sum = mix(sum, (u32)c[n % (N * N)]);
		a[n % (N * N)] ^= c[(n * 5) % (N * N)];
	}
	return sum;
}
