/* Adds 16-bit samples with a gain, and clamps them to 16 bits. */
#include "bench.h"

static noinline void add(i16 *to, const i16 *from, u32 count, i32 gain)
{
	for (u32 i = 0; i < count; i++) {
		i32 sum = to[i] + (from[i] * gain >> 8);
		to[i] = (i16)(sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum);
	}
}

u64 bench(void *buffer, u64 iterations)
{
	i16 *to = buffer, *from = to + 512;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		add(to, from, 500 - (n & 15), (i32)(n & 511));
		sum = mix(sum, (u16)to[n % 500]);
		from[(n * 7) % 500] = (i16)sum;
	}
	return sum;
}
