/* 640 pixels of three bytes each to shades of gray. */
#include "bench.h"

static noinline void gray(u8 *to, const u8 *from, u32 count)
{
	for (u32 i = 0; i < count; i++)
		to[i] = (u8)((from[3 * i] * 77 + from[3 * i + 1] * 150 + from[3 * i + 2] * 29) >> 8);
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *from = buffer, *to = from + 1920;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		gray(to, from, 640 - (n & 15));
		sum = mix(sum, to[n % 640]);
		from[(n * 7) % 1920] = (u8)sum;
	}
	return sum;
}
