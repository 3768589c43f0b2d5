/* A real root of each of 32 cubic equations by Newton's method, and those of the quadratic one that is left. */
#include "float.h"

enum { EQUATIONS = 32 };

static noinline u32 roots(double a, double b, double c, double *to)
{
	/* x^3 + a x^2 + b x + c; beyond the bound there is none. */
	double x = -(fabs(a) + fabs(b) + fabs(c) + 1.0);
	for (u32 step = 0; step < 40; step++) {
		double value = ((x + a) * x + b) * x + c, slope = (3.0 * x + 2.0 * a) * x + b;
		if (slope == 0.0)
			break;
		double next = x - value / slope;
		if (fabs(next - x) <= 1e-12 * fabs(next))
			break;
		x = next;
	}
	to[0] = x;
	double p = a + x, q = b + p * x, under = p * p - 4.0 * q;
	if (under < 0.0)
		return 1;
	double root = sqrt(under);
	to[1] = (-p + root) * 0.5;
	to[2] = (-p - root) * 0.5;
	return 3;
}

u64 bench(void *buffer, u64 iterations)
{
	double *found = buffer;
	u32 state = seed(buffer);
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++)
		for (u32 i = 0; i < EQUATIONS; i++) {
			double a = unit(&state) * 8.0 - 4.0, b = unit(&state) * 8.0 - 4.0, c = unit(&state) - 0.5;
			sum += roots(a, b, c, found);
			sum = mix_f64(sum, found[0]);
		}
	return sum;
}
