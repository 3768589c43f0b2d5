/* A matrix of 24 by 24 as a product of triangular ones, with row exchanges, and a system of equations solved with it. */
#include "float.h"

enum { SIDE = 24 };

static noinline void decompose(double *a, u32 *rows)
{
	for (u32 i = 0; i < SIDE; i++)
		rows[i] = i;
	for (u32 k = 0; k < SIDE; k++) {
		u32 best = k;
		double largest = fabs(a[k * SIDE + k]);
		for (u32 i = k + 1; i < SIDE; i++) {
			double size = fabs(a[i * SIDE + k]);
			if (size > largest) {
				largest = size;
				best = i;
			}
		}
		if (best != k) {
			u32 row = rows[k];
			rows[k] = rows[best];
			rows[best] = row;
			for (u32 j = 0; j < SIDE; j++) {
				double swapped = a[k * SIDE + j];
				a[k * SIDE + j] = a[best * SIDE + j];
				a[best * SIDE + j] = swapped;
			}
		}
		for (u32 i = k + 1; i < SIDE; i++) {
			double factor = a[i * SIDE + k] / a[k * SIDE + k];
			a[i * SIDE + k] = factor;
			for (u32 j = k + 1; j < SIDE; j++)
				a[i * SIDE + j] -= factor * a[k * SIDE + j];
		}
	}
}

static noinline void solve(const double *a, const u32 *rows, const double *b, double *x)
{
	for (u32 i = 0; i < SIDE; i++) {
		double sum = b[rows[i]];
		for (u32 j = 0; j < i; j++)
			sum -= a[i * SIDE + j] * x[j];
		x[i] = sum;
	}
	for (i32 i = SIDE - 1; i >= 0; i--) {
		double sum = x[i];
		for (i32 j = i + 1; j < SIDE; j++)
			sum -= a[i * SIDE + j] * x[j];
		x[i] = sum / a[i * SIDE + i];
	}
}

u64 bench(void *buffer, u64 iterations)
{
	double *a = buffer, *b = a + SIDE * SIDE, *x = b + SIDE;
	u32 *rows = (u32 *)(x + SIDE), state = seed(buffer);
	u64 sum = 0;
	fill(b, SIDE, &state);
	for (u64 n = 0; n < iterations; n++) {
		fill(a, SIDE * SIDE, &state);
		decompose(a, rows);
		solve(a, rows, b, x);
		sum = mix_f64(sum, x[n % SIDE]);
	}
	return sum;
}
