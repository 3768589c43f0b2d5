/* The knapsack problem: 32 things, a capacity of 512. */
#include "bench.h"

enum { THINGS = 32, CAPACITY = 512 };

u64 bench(void *buffer, u64 iterations)
{
	u32 *best = buffer;
	const u8 *weights = (const u8 *)(best + CAPACITY + 1), *values = weights + THINGS;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i <= CAPACITY; i++)
			best[i] = 0;
		for (u32 thing = 0; thing < THINGS; thing++) {
			u32 weight = 1 + (weights[thing] & 63), value = values[(thing + n) % THINGS];
			for (u32 room = CAPACITY; room >= weight; room--) {
				u32 with = best[room - weight] + value;
				if (with > best[room])
					best[room] = with;
			}
		}
		sum = mix(sum, best[CAPACITY]);
	}
	return sum;
}
