/* Adds 1,000 bytes to others, saturating. */
#include "bench.h"

static noinline void add(u8 *to, const u8 *from, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		u32 sum = to[i] + from[i];
		to[i] = (u8)(sum > 255 ? 255 : sum);
	}
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *one = buffer, *other = one + 1024;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		add(one, other, 1000 - (n & 15));
		sum = mix(sum, one[n % 1000]);
		one[(n * 7) % 1000] = (u8)sum;
	}
	return sum;
}
