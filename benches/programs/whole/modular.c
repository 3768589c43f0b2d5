/* Matrices of integers modulo a prime: powers, and determinants by elimination with inverses. */
#include "bench.h"

enum { SIZE = 12 };

static const u32 prime = 1000003;

static u32 times(u32 a, u32 b)
{
	return (u32)((u64)a * b % prime);
}

static noinline u32 power(u32 base, u32 exponent)
{
	u32 result = 1;
	for (; exponent; exponent >>= 1) {
		if (exponent & 1)
			result = times(result, base);
		base = times(base, base);
	}
	return result;
}

static noinline void multiply(u32 (*to)[SIZE], const u32 (*a)[SIZE], const u32 (*b)[SIZE])
{
	for (u32 i = 0; i < SIZE; i++)
		for (u32 k = 0; k < SIZE; k++) {
			u64 sum = 0;
			for (u32 m = 0; m < SIZE; m++)
				sum += (u64)a[i][m] * b[m][k];
			to[i][k] = (u32)(sum % prime);
		}
}

static noinline u32 determinant(u32 (*m)[SIZE])
{
	u32 result = 1;
	for (u32 column = 0; column < SIZE; column++) {
		u32 pivot = column;
		while (pivot < SIZE && !m[pivot][column])
			pivot++;
		if (pivot == SIZE)
			return 0;
		if (pivot != column) {
			for (u32 k = 0; k < SIZE; k++) {
				u32 old = m[pivot][k];
				m[pivot][k] = m[column][k];
				m[column][k] = old;
			}
			result = prime - result;
		}
		result = times(result, m[column][column]);
		u32 inverse = power(m[column][column], prime - 2);
		for (u32 row = column + 1; row < SIZE; row++) {
			u32 factor = times(m[row][column], inverse);
			if (!factor)
				continue;
			for (u32 k = column; k < SIZE; k++) {
				u32 product = times(factor, m[column][k]);
				m[row][k] = m[row][k] >= product ? m[row][k] - product : m[row][k] + prime - product;
			}
		}
	}
	return result;
}

u64 bench(void *buffer, u64 iterations)
{
	u32 *words = buffer, (*a)[SIZE] = buffer, (*b)[SIZE] = a + SIZE, (*c)[SIZE] = b + SIZE;
	u64 sum = 0;
	for (u32 i = 0; i < 2 * SIZE * SIZE; i++)
		words[i] %= prime;
	for (u64 n = 0; n < iterations; n++) {
		multiply(c, a, b);
		multiply(a, c, b);
		a[n % SIZE][0] += 1;
		sum = mix(sum, determinant(c));
		sum = mix(sum, a[1][1]);
	}
	return sum;
}
