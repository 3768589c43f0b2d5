/* A system of 24 equations by relaxation, with the largest change of each round. */
#include "float.h"

enum { SIDE = 24 };

static noinline double relax(const double *a, const double *b, double *x)
{
	double largest = 0.0;
	for (u32 i = 0; i < SIDE; i++) {
		double sum = b[i];
		for (u32 j = 0; j < SIDE; j++)
			if (j != i)
				sum -= a[i * SIDE + j] * x[j];
		double next = x[i] + 1.1 * (sum / a[i * SIDE + i] - x[i]), change = fabs(next - x[i]);
		if (change > largest)
			largest = change;
		x[i] = next;
	}
	return largest;
}

u64 bench(void *buffer, u64 iterations)
{
	double *a = buffer, *b = a + SIDE * SIDE, *x = b + SIDE;
	u32 state = seed(buffer);
	u64 sum = 0;
	fill(a, SIDE * SIDE + 2 * SIDE, &state);
	for (u32 i = 0; i < SIDE; i++)
		a[i * SIDE + i] += SIDE;
	for (u64 n = 0; n < iterations; n++) {
		double change = relax(a, b, x);
		b[n % SIDE] = 1.0 - b[n % SIDE];
		sum = mix_f64(sum, change);
	}
	return sum;
}
