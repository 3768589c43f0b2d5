/* The exclusive or of 1,000 bytes with others. */
#include "bench.h"

static noinline void memxor(u8 *to, const u8 *from, u32 count)
{
	for (u32 i = 0; i < count; i++)
		to[i] ^= from[i];
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *to = buffer, *from = to + 1024;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		memxor(to, from, 1000 - (n & 15));
		sum = mix(sum, to[n % 1000]);
		from[(n * 7) % 1000] = (u8)sum;
	}
	return sum;
}
