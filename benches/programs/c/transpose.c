/* A matrix of 64 by 64 transposed in blocks of 8, and added to itself. */
#include "bench.h"

enum { SIDE = 64, BLOCK = 8 };

static noinline void transpose(const u32 *from, u32 *to)
{
	for (u32 i = 0; i < SIDE; i += BLOCK)
		for (u32 j = 0; j < SIDE; j += BLOCK)
			for (u32 y = i; y < i + BLOCK; y++)
				for (u32 x = j; x < j + BLOCK; x++)
					to[x * SIDE + y] = from[y * SIDE + x];
}

u64 bench(void *buffer, u64 iterations)
{
	u32 *from = buffer, *to = from + SIDE * SIDE;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		transpose(from, to);
		for (u32 i = 0; i < SIDE * SIDE; i++)
			from[i] += to[i];
		sum = mix(sum, from[n % (SIDE * SIDE)]);
	}
	return sum;
}
