/* 512 letters, each with its own probability, by a linear congruential generator of floats. */
#include "float.h"

enum { LETTERS = 15, COUNT = 512 };

static noinline double next(u32 *state, double limit)
{
	*state = (*state * 3877 + 29573) % 139968;
	return limit * (double)*state / 139968.0;
}

static noinline u8 pick(const double *upto, double number)
{
	u32 i = 0;
	while (i < LETTERS - 1 && upto[i] < number)
		i++;
	return (u8)('a' + i);
}

u64 bench(void *buffer, u64 iterations)
{
	double *upto = buffer;
	u8 *text = (u8 *)(upto + LETTERS);
	u32 state = seed(buffer);
	double total = 0.0;
	for (u32 i = 0; i < LETTERS; i++) {
		total += unit(&state) + 0.05;
		upto[i] = total;
	}
	u64 sum = 0;
	state = 42;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < COUNT; i++)
			text[i] = pick(upto, next(&state, total));
		sum = mix(sum, text[n % COUNT]);
	}
	return sum;
}
