/* Blends 1,000 bytes with others by their weights. */
#include "bench.h"

static noinline void blend(u8 *to, const u8 *from, const u8 *weight, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		u32 mixed = from[i] * weight[i] + to[i] * (255u - weight[i]) + 128;
		to[i] = (u8)((mixed + (mixed >> 8)) >> 8);
	}
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *to = buffer, *from = to + 1024, *weight = from + 1024;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		blend(to, from, weight, 1000 - (n & 15));
		sum = mix(sum, to[n % 1000]);
		from[(n * 7) % 1000] = (u8)sum;
	}
	return sum;
}
