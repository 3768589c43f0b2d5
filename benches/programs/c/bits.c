/* Bits of 512 words: counted, reversed, swapped, leading and trailing zeros, in shifts and masks and by builtins. */
#include "bench.h"

static u32 count(u64 x)
{
	x -= x >> 1 & 0x5555555555555555ULL;
	x = (x & 0x3333333333333333ULL) + (x >> 2 & 0x3333333333333333ULL);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (u32)(x * 0x0101010101010101ULL >> 56);
}

static u64 reversed(u64 x)
{
	x = (x >> 1 & 0x5555555555555555ULL) | (x & 0x5555555555555555ULL) << 1;
	x = (x >> 2 & 0x3333333333333333ULL) | (x & 0x3333333333333333ULL) << 2;
	x = (x >> 4 & 0x0f0f0f0f0f0f0f0fULL) | (x & 0x0f0f0f0f0f0f0f0fULL) << 4;
	return __builtin_bswap64(x);
}

static u32 gray_rank(u64 x)
{
	x ^= x >> 32;
	x ^= x >> 16;
	x ^= x >> 8;
	x ^= x >> 4;
	return 0x6996 >> (x & 15) & 1;
}

u64 bench(void *buffer, u64 iterations)
{
	const u64 *words = buffer;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < 512; i++) {
			u64 x = words[i] ^ sum;
			sum += count(x) + __builtin_popcountll(x >> 7);
			sum ^= reversed(x);
			sum += (u64)__builtin_clzll(x | 1) * 3 + (u64)__builtin_ctzll(x | 1ULL << 63);
			sum += gray_rank(x);
		}
	}
	return sum;
}
