/* BLAKE2s (RFC 7693) of one kilobyte: ten rounds of quarter mixes, permuted by a table. */
#include "bench.h"

static const u32 start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

static const u8 order[10][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 }, { 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 }, { 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 }, { 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 }, { 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 }, { 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

static u32 ror(u32 x, u32 n)
{
	return x >> n | x << (32 - n);
}

static inline void quarter(u32 *v, u32 a, u32 b, u32 c, u32 d, u32 x, u32 y)
{
	v[a] += v[b] + x;
	v[d] = ror(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = ror(v[b] ^ v[c], 12);
	v[a] += v[b] + y;
	v[d] = ror(v[d] ^ v[a], 8);
	v[c] += v[d];
	v[b] = ror(v[b] ^ v[c], 7);
}

static noinline void compress(u32 *hash, const u32 *words, u64 counter, u32 last)
{
	u32 v[16];
	for (u32 i = 0; i < 8; i++) {
		v[i] = hash[i];
		v[i + 8] = start[i];
	}
	v[12] ^= (u32)counter;
	v[13] ^= (u32)(counter >> 32);
	v[14] ^= last;
	for (u32 round = 0; round < 10; round++) {
		const u8 *s = order[round];
		quarter(v, 0, 4, 8, 12, words[s[0]], words[s[1]]);
		quarter(v, 1, 5, 9, 13, words[s[2]], words[s[3]]);
		quarter(v, 2, 6, 10, 14, words[s[4]], words[s[5]]);
		quarter(v, 3, 7, 11, 15, words[s[6]], words[s[7]]);
		quarter(v, 0, 5, 10, 15, words[s[8]], words[s[9]]);
		quarter(v, 1, 6, 11, 12, words[s[10]], words[s[11]]);
		quarter(v, 2, 7, 8, 13, words[s[12]], words[s[13]]);
		quarter(v, 3, 4, 9, 14, words[s[14]], words[s[15]]);
	}
	for (u32 i = 0; i < 8; i++)
		hash[i] ^= v[i] ^ v[i + 8];
}

u64 bench(void *buffer, u64 iterations)
{
	u32 hash[8];
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < 8; i++)
			hash[i] = start[i];
		hash[0] ^= 0x01010020 ^ (u32)n;
		for (u32 block = 0; block < 16; block++)
			compress(hash, (u32 *)buffer + 16 * block, 64 * (block + 1), block == 15 ? ~0u : 0);
		sum = mix(sum, hash[0] ^ (u64)hash[7] << 32);
	}
	return sum;
}
