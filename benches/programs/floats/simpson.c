/* The integrals of two functions by Simpson's rule, 200 steps each. */
#include "float.h"

static noinline double bell(double from, double to, u32 steps)
{
	double step = (to - from) / (double)steps, sum = 0.0;
	for (u32 i = 0; i < steps; i++) {
		double a = from + (double)i * step, m = a + step * 0.5, b = a + step;
		sum += 1.0 / (1.0 + a * a) + 4.0 / (1.0 + m * m) + 1.0 / (1.0 + b * b);
	}
	return sum * step / 6.0;
}

static noinline double quarter(double radius, u32 steps)
{
	double step = radius / (double)steps, sum = 0.0, square = radius * radius;
	for (u32 i = 0; i < steps; i++) {
		double x = ((double)i + 0.5) * step;
		sum += sqrt(square - x * x);
	}
	return sum * step;
}

u64 bench(void *buffer, u64 iterations)
{
	u32 state = seed(buffer);
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		double to = 1.0 + unit(&state);
		sum = mix_f64(sum, bell(-to, to, 200) + quarter(to, 200));
	}
	return sum;
}
