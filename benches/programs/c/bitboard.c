/* Moves on a board of 64 bits: kings, knights, and sliding pieces by filling. */
#include "bench.h"

#define NOT_A 0xfefefefefefefefeULL
#define NOT_H 0x7f7f7f7f7f7f7f7fULL
#define NOT_AB 0xfcfcfcfcfcfcfcfcULL
#define NOT_GH 0x3f3f3f3f3f3f3f3fULL

static u64 knights(u64 x)
{
	return (x << 17 & NOT_A) | (x << 10 & NOT_AB) | (x >> 6 & NOT_AB) | (x >> 15 & NOT_A) | (x << 15 & NOT_H) |
	       (x << 6 & NOT_GH) | (x >> 10 & NOT_GH) | (x >> 17 & NOT_H);
}

static u64 kings(u64 x)
{
	u64 row = x | (x << 1 & NOT_A) | (x >> 1 & NOT_H);
	return (row | row << 8 | row >> 8) & ~x;
}

static u64 rooks(u64 x, u64 empty)
{
	u64 reached = 0, filled = x;
	for (int i = 0; i < 7; i++)
		reached |= filled = filled << 8 & empty;
	filled = x;
	for (int i = 0; i < 7; i++)
		reached |= filled = filled >> 8 & empty;
	filled = x;
	for (int i = 0; i < 7; i++)
		reached |= filled = filled << 1 & NOT_A & empty;
	filled = x;
	for (int i = 0; i < 7; i++)
		reached |= filled = filled >> 1 & NOT_H & empty;
	return reached;
}

u64 bench(void *buffer, u64 iterations)
{
	const u64 *boards = buffer;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < 256; i++) {
			u64 empty = boards[i], pieces = ~empty;
			u64 x = sum & pieces;
			sum += knights(x) ^ kings(x & -x);
			/* Each piece on its own. */
			for (u64 left = pieces & 0x8100240000240081ULL; left; left &= left - 1)
				sum ^= rooks(left & -left, empty) * 3;
		}
	}
	return sum;
}
