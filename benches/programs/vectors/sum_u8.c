/* The sum of 1,500 bytes. */
#include "bench.h"

static noinline u32 total(const u8 *from, u32 count)
{
	u32 sum = 0;
	for (u32 i = 0; i < count; i++)
		sum += from[i];
	return sum;
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *bytes = buffer;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		sum = mix(sum, total(bytes, 1500 - (n & 15)));
		bytes[n % 1500] ^= (u8)sum;
	}
	return sum;
}
