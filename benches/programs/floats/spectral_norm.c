/* The spectral norm of a matrix of 48 by 48 whose elements are computed. */
#include "float.h"

enum { SIDE = 48 };

static inline double element(u32 i, u32 j)
{
	return 1.0 / (double)((i + j) * (i + j + 1) / 2 + i + 1);
}

static noinline void times(const double *v, double *to)
{
	for (u32 i = 0; i < SIDE; i++) {
		double sum = 0.0;
		for (u32 j = 0; j < SIDE; j++)
			sum += element(i, j) * v[j];
		to[i] = sum;
	}
}

static noinline void times_transposed(const double *v, double *to)
{
	for (u32 i = 0; i < SIDE; i++) {
		double sum = 0.0;
		for (u32 j = 0; j < SIDE; j++)
			sum += element(j, i) * v[j];
		to[i] = sum;
	}
}

u64 bench(void *buffer, u64 iterations)
{
	double *u = buffer, *v = u + SIDE, *w = v + SIDE;
	u32 state = seed(buffer);
	u64 sum = 0;
	fill(u, SIDE, &state);
	for (u64 n = 0; n < iterations; n++) {
		times(u, w);
		times_transposed(w, v);
		times(v, w);
		times_transposed(w, u);
		double uv = 0.0, vv = 0.0;
		for (u32 i = 0; i < SIDE; i++) {
			uv += u[i] * v[i];
			vv += v[i] * v[i];
		}
		double norm = sqrt(uv / vv);
		for (u32 i = 0; i < SIDE; i++)
			u[i] /= norm * norm;
		sum = mix_f64(sum, norm);
	}
	return sum;
}
