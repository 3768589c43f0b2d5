/* How often each of 1,000 bytes occurs: no loop for vectors. */
#include "bench.h"

static noinline void histogram(u32 *counts, const u8 *from, u32 count)
{
	for (u32 i = 0; i < count; i++)
		counts[from[i]]++;
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *from = buffer;
	u32 *counts = (u32 *)(from + 1024);
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		histogram(counts, from, 1000 - (n & 15));
		sum = mix(sum, counts[n & 255]);
		from[(n * 7) % 1000] = (u8)sum;
	}
	return sum;
}
