/* Means, deviations and the correlation of two series of 256 numbers, and their extremes. */
#include "float.h"

enum { COUNT = 256 };

static noinline double mean(const double *series)
{
	double sum = 0.0;
	for (u32 i = 0; i < COUNT; i++)
		sum += series[i];
	return sum / COUNT;
}

static noinline double variance(const double *series, double mean)
{
	double sum = 0.0;
	for (u32 i = 0; i < COUNT; i++)
		sum += (series[i] - mean) * (series[i] - mean);
	return sum / COUNT;
}

static noinline double correlation(const double *a, const double *b, double mean_a, double mean_b)
{
	double ab = 0.0, aa = 0.0, bb = 0.0;
	for (u32 i = 0; i < COUNT; i++) {
		ab += (a[i] - mean_a) * (b[i] - mean_b);
		aa += (a[i] - mean_a) * (a[i] - mean_a);
		bb += (b[i] - mean_b) * (b[i] - mean_b);
	}
	return ab / (sqrt(aa) * sqrt(bb));
}

static noinline double range(const double *series)
{
	double least = series[0], largest = series[0];
	for (u32 i = 1; i < COUNT; i++) {
		least = series[i] < least ? series[i] : least;
		largest = series[i] > largest ? series[i] : largest;
	}
	return largest - least;
}

u64 bench(void *buffer, u64 iterations)
{
	double *a = buffer, *b = a + COUNT;
	u32 state = seed(buffer);
	u64 sum = 0;
	fill(a, 2 * COUNT, &state);
	for (u64 n = 0; n < iterations; n++) {
		double mean_a = mean(a), mean_b = mean(b);
		sum = mix_f64(sum, sqrt(variance(a, mean_a)) + sqrt(variance(b, mean_b)));
		sum = mix_f64(sum, correlation(a, b, mean_a, mean_b) + range(a) - range(b));
		a[n % COUNT] = b[n * 7 % COUNT] * 0.5;
	}
	return sum;
}
