/* The kinds of work of the Whetstone benchmark: elements of an array, a procedure, branches, and series for functions. */
#include "float.h"

static noinline void elements(double *e)
{
	for (u32 i = 0; i < 12; i++) {
		e[0] = (e[0] + e[1] + e[2] - e[3]) * 0.499975;
		e[1] = (e[0] + e[1] - e[2] + e[3]) * 0.499975;
		e[2] = (e[0] - e[1] + e[2] + e[3]) * 0.499975;
		e[3] = (-e[0] + e[1] + e[2] + e[3]) * 0.499975;
	}
}

static noinline void procedure(double x, double y, double *z)
{
	double x1 = 0.499975 * (x + y), y1 = 0.499975 * (x1 + y);
	*z = (x1 + y1) / 2.0;
}

static noinline double sine(double x)
{
	double square = x * x, term = x, sum = x;
	for (u32 n = 2; n < 14; n += 2) {
		term *= -square / (double)(n * (n + 1));
		sum += term;
	}
	return sum;
}

u64 bench(void *buffer, u64 iterations)
{
	double *e = buffer;
	u32 state = seed(buffer);
	u64 sum = 0;
	double x = 0.5, y = 0.5, z = 1.0;
	fill(e, 4, &state);
	for (u64 n = 0; n < iterations; n++) {
		elements(e);
		for (u32 i = 0; i < 8; i++)
			procedure(e[i & 3], y, &z);
		for (u32 i = 0; i < 6; i++) {
			x = 0.5 * sine(x + z * 0.1);
			y = 0.4999 * (x + sine(y));
		}
		for (u32 i = 0; i < 8; i++)
			z = sqrt(exponential(logarithm(z + 1.0) / 0.50025));
		for (u32 i = 0; i < 16; i++)
			x = x > 0.25 ? x * 0.75 : x < 0.1 ? x + 0.3 : 0.3 - x;
		sum = mix_f64(sum, x + y + z);
		z = z > 4.0 ? 1.0 : z;
	}
	return sum;
}
