/* The inverse of a matrix of 6 by 6 by elimination, and its determinant. */
#include "float.h"

enum { SIDE = 6 };

static noinline double invert(double *a, double *to)
{
	double determinant = 1.0;
	for (u32 i = 0; i < SIDE * SIDE; i++)
		to[i] = i % (SIDE + 1) == 0 ? 1.0 : 0.0;
	for (u32 k = 0; k < SIDE; k++) {
		u32 best = k;
		for (u32 i = k + 1; i < SIDE; i++)
			if (fabs(a[i * SIDE + k]) > fabs(a[best * SIDE + k]))
				best = i;
		double pivot = a[best * SIDE + k];
		if (fabs(pivot) <= 1e-9)
			return 0.0;
		determinant *= best == k ? pivot : -pivot;
		for (u32 j = 0; j < SIDE; j++) {
			double x = a[best * SIDE + j], y = to[best * SIDE + j];
			a[best * SIDE + j] = a[k * SIDE + j];
			to[best * SIDE + j] = to[k * SIDE + j];
			a[k * SIDE + j] = x / pivot;
			to[k * SIDE + j] = y / pivot;
		}
		for (u32 i = 0; i < SIDE; i++) {
			double factor = a[i * SIDE + k];
			if (i == k || factor == 0.0)
				continue;
			for (u32 j = 0; j < SIDE; j++) {
				a[i * SIDE + j] -= factor * a[k * SIDE + j];
				to[i * SIDE + j] -= factor * to[k * SIDE + j];
			}
		}
	}
	return determinant;
}

u64 bench(void *buffer, u64 iterations)
{
	double *a = buffer, *inverse = a + SIDE * SIDE;
	u32 state = seed(buffer);
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		fill(a, SIDE * SIDE, &state);
		sum = mix_f64(sum, invert(a, inverse));
		sum = mix_f64(sum, inverse[n % (SIDE * SIDE)]);
	}
	return sum;
}
