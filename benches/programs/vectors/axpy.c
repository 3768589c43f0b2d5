/* Adds 200 scaled numbers of 64 bits to others, as LINPACK does most of its time. */
#include "../floats/float.h"

static noinline void axpy(double *to, const double *from, double factor, u32 count)
{
	for (u32 i = 0; i < count; i++)
		to[i] += factor * from[i];
}

u64 bench(void *buffer, u64 iterations)
{
	double *to = buffer, *from = to + 200;
	u32 state = seed(buffer);
	u64 sum = 0;
	fill(to, 400, &state);
	for (u64 n = 0; n < iterations; n++) {
		axpy(to, from, n & 1 ? 0.5 : -0.5, 200 - (n & 7));
		sum = mix_f64(sum, to[n % 200]);
		from[n * 7 % 200] = unit(&state);
	}
	return sum;
}
