/* Heat in a plate of 24 by 24 points: the mean of the four neighbours, and how much that changes. */
#include "float.h"

enum { SIDE = 24 };

static noinline double step(const double *from, double *to)
{
	double change = 0.0;
	for (u32 y = 1; y < SIDE - 1; y++)
		for (u32 x = 1; x < SIDE - 1; x++) {
			const double *at = &from[y * SIDE + x];
			double next = 0.25 * (at[-1] + at[1] + at[-SIDE] + at[SIDE]);
			to[y * SIDE + x] = next;
			change += (next - *at) * (next - *at);
		}
	return change;
}

u64 bench(void *buffer, u64 iterations)
{
	double *a = buffer, *b = a + SIDE * SIDE;
	u32 state = seed(buffer);
	u64 sum = 0;
	fill(a, 2 * SIDE * SIDE, &state);
	for (u64 n = 0; n < iterations; n++) {
		double change = step(a, b) + step(b, a);
		a[n * 7 % (SIDE * SIDE)] += 0.5 - change * 0.001;
		sum = mix_f64(sum, change);
	}
	return sum;
}
