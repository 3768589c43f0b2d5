/* Two sums of 500 numbers of 32 bits, one of 64 bits, and their parity. */
#include "bench.h"

static noinline u64 sums(const u32 *from, u32 count)
{
	u64 sum = 0;
	u32 parity = 0;
	for (u32 i = 0; i < count; i++) {
		sum += from[i];
		parity ^= from[i];
	}
	return sum ^ (u64)parity << 32;
}

u64 bench(void *buffer, u64 iterations)
{
	u32 *numbers = buffer;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		sum = mix(sum, sums(numbers, 500 - (n & 15)));
		numbers[n % 500] ^= (u32)sum;
	}
	return sum;
}
