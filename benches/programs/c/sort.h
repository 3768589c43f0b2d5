/* Numbers to sort, and a check that they are sorted. */
#ifndef SORT_H
#define SORT_H
#include "bench.h"

enum { COUNT = 1024 };

static void make_numbers(u32 *numbers, u32 seed)
{
	u32 state = seed * 2654435761u + 1;
	for (u32 i = 0; i < COUNT; i++)
		numbers[i] = next_random(&state);
}

/* Changes whenever a number is out of place. */
static u64 check(const u32 *numbers)
{
	u64 sum = 0;
	for (u32 i = 1; i < COUNT; i++)
		sum += (numbers[i - 1] <= numbers[i]) + numbers[i] % i;
	return sum;
}

#endif
