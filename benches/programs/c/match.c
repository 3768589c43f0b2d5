/* Lengths of matches as zstd and lz4 count them, 8 bytes at a time, along chains of earlier places; costs by logarithms. */
#include "bench.h"

#define BYTES 8192

static u64 word(const u8 *at)
{
	u64 value;
	__builtin_memcpy(&value, at, sizeof value);
	return value;
}

static u32 count(const u8 *at, const u8 *match, const u8 *end)
{
	const u8 *start = at;
	while (at < end - 7) {
		u64 differs = word(at) ^ word(match);
		if (differs)
			return (u32)(at - start) + (__builtin_ctzll(differs) >> 3);
		at += 8;
		match += 8;
	}
	while (at < end && *at == *match)
		at++, match++;
	return (u32)(at - start);
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *text = buffer;
	u16 *chain = (u16 *)(text + BYTES), *heads = chain + BYTES;
	u64 sum = 0;
	/* Of few letters, so that there are matches of many lengths. */
	for (u32 i = 0; i < BYTES; i++)
		text[i] = (text[i] & text[i] >> 3 & 3) + 'a';
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < 1024; i++)
			heads[i] = 0;
		for (u32 i = 1; i + 8 < BYTES; i++) {
			u32 hash = (u32)word(text + i) * 2654435761u >> 22, best = 0, from = 0;
			u32 place = heads[hash];
			for (u32 tries = 8; place && tries; tries--) {
				u32 length = count(text + i, text + place, text + BYTES);
				u32 offset = 32 - __builtin_clz(i - place);
				if (length * 4 > best + offset)
					best = length * 4 - offset, from = place;
				place = chain[place];
			}
			chain[i] = heads[hash];
			heads[hash] = (u16)i;
			sum = sum * 3 + best + from;
		}
		text[n & (BYTES - 1)] ^= 1;
	}
	return sum;
}
