/* 1,024 binary searches among 4,096 numbers. */
#include "bench.h"

enum { COUNT = 4096 };

static u32 find(const u32 *numbers, u32 wanted)
{
	u32 low = 0, high = COUNT;
	while (low < high) {
		u32 middle = low + (high - low) / 2;
		if (numbers[middle] < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

u64 bench(void *buffer, u64 iterations)
{
	u32 *numbers = buffer, state = 99, last = 0;
	for (u32 i = 0; i < COUNT; i++) {
		last += 1 + (next_random(&state) & 1023);
		numbers[i] = last;
	}
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++)
		for (u32 i = 0; i < 1024; i++)
			sum += find(numbers, next_random(&state) & 0x1fffff);
	return sum;
}
