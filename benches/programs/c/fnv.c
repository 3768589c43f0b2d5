/* FNV-1a, byte by byte; 2 KiB. */
#include "bench.h"

u64 bench(void *buffer, u64 iterations)
{
	const u8 *data = buffer;
	u64 hash = 0xcbf29ce484222325ULL;
	for (u64 n = 0; n < iterations; n++)
		for (u32 i = 0; i < 2048; i++)
			hash = (hash ^ data[i]) * 0x100000001b3ULL;
	return hash;
}
