/* Polynomials of degree 12 at 64 places, as doubles and as floats. */
#include "float.h"

enum { DEGREE = 12, PLACES = 64 };

static noinline double at(const double *coefficients, double x)
{
	double value = coefficients[DEGREE];
	for (i32 i = DEGREE - 1; i >= 0; i--)
		value = value * x + coefficients[i];
	return value;
}

static noinline float at_f32(float x)
{
	return ((((0.0083f * x - 0.0416f) * x + 0.1666f) * x - 0.5f) * x + 1.0f) * x - 0.25f;
}

u64 bench(void *buffer, u64 iterations)
{
	double *coefficients = buffer;
	u32 state = seed(buffer);
	u64 sum = 0;
	fill(coefficients, DEGREE + 1, &state);
	for (u64 n = 0; n < iterations; n++) {
		double total = 0.0;
		float small = 0.0f;
		for (i32 i = 0; i < PLACES; i++) {
			double x = (double)(i - PLACES / 2) * 0.03;
			total += at(coefficients, x);
			small += at_f32((float)x);
		}
		coefficients[n % DEGREE] -= total * 1e-4;
		sum = mix_f32(mix_f64(sum, total), small);
	}
	return sum;
}
