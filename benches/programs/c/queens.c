/* Eight queens: all placements, by recursion over bits. */
#include "bench.h"

static noinline u32 place(u32 all, u32 columns, u32 left, u32 right)
{
	u32 count = 0;
	if (columns == all)
		return 1;
	for (u32 free = all & ~(columns | left | right); free; free &= free - 1) {
		u32 bit = free & -free;
		count += place(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
	}
	return count;
}

u64 bench(void *buffer, u64 iterations)
{
	u64 sum = *(u8 *)buffer & 1;
	for (u64 n = 0; n < iterations; n++)
		sum = mix(sum, place(sum & 1 ? 127 : 255, 0, 0, 0));
	return sum;
}
