/* Scales 1,000 signed bytes to 16 bits. */
#include "bench.h"

static noinline void widen(i16 *to, const i8 *from, u32 count, i16 factor)
{
	for (u32 i = 0; i < count; i++)
		to[i] = (i16)(from[i] * factor);
}

u64 bench(void *buffer, u64 iterations)
{
	i8 *from = buffer;
	i16 *to = (i16 *)(from + 1024);
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		widen(to, from, 1000 - (n & 15), (i16)(n + 3));
		sum = mix(sum, (u16)to[n % 1000]);
		from[(n * 7) % 1000] = (i8)sum;
	}
	return sum;
}
