/* The dot product of 500 numbers of 16 bits. */
#include "bench.h"

static noinline u32 dot(const u16 *one, const u16 *other, u32 count)
{
	u32 sum = 0;
	for (u32 i = 0; i < count; i++)
		sum += (u32)one[i] * other[i];
	return sum;
}

u64 bench(void *buffer, u64 iterations)
{
	u16 *one = buffer, *other = one + 512;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		sum = mix(sum, dot(one, other, 500 - (n & 15)));
		one[n % 500] ^= (u16)sum;
	}
	return sum;
}
