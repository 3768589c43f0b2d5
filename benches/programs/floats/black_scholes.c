/* Prices of 64 options by the formula of Black and Scholes. */
#include "float.h"

enum { OPTIONS = 64 };
struct option {
	double price, strike, years, rate, volatility;
};

static noinline double normal(double x)
{
	double size = fabs(x), k = 1.0 / (1.0 + 0.2316419 * size);
	double series = k * (0.319381530 +
			     k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429))));
	double tail = exponential(-0.5 * size * size) * 0.3989422804014327 * series;
	return x < 0.0 ? tail : 1.0 - tail;
}

static noinline double call(const struct option *option)
{
	double spread = option->volatility * sqrt(option->years);
	double d1 = (logarithm(option->price / option->strike) +
		     (option->rate + 0.5 * option->volatility * option->volatility) * option->years) /
		    spread;
	double discount = exponential(-option->rate * option->years);
	return option->price * normal(d1) - option->strike * discount * normal(d1 - spread);
}

u64 bench(void *buffer, u64 iterations)
{
	struct option *options = buffer;
	u32 state = seed(buffer);
	u64 sum = 0;
	for (u32 i = 0; i < OPTIONS; i++) {
		options[i].price = 20.0 + 80.0 * unit(&state);
		options[i].strike = 20.0 + 80.0 * unit(&state);
		options[i].years = 0.1 + 2.0 * unit(&state);
		options[i].rate = 0.01 + 0.05 * unit(&state);
		options[i].volatility = 0.1 + 0.4 * unit(&state);
	}
	for (u64 n = 0; n < iterations; n++) {
		double total = 0.0;
		for (u32 i = 0; i < OPTIONS; i++)
			total += call(&options[i]);
		options[n % OPTIONS].price = 20.0 + total * 0.01;
		sum = mix_f64(sum, total);
	}
	return sum;
}
