/* Sets of 64 KiB members as bitmaps: members of an intersection in order, how many are below each, free places. */
#include "bench.h"

#define WORDS 256

static u64 visit(const u64 *a, const u64 *b)
{
	u64 sum = 0, below = 0;
	for (u32 i = 0; i < WORDS; i++) {
		u64 both = a[i] & b[i];
		for (u64 rest = both; rest; rest &= rest - 1)
			sum = sum * 31 + i * 64 + __builtin_ctzll(rest);
		below += __builtin_popcountll(both);
		sum ^= below;
	}
	return sum;
}

static void claim(u64 *a, u32 count)
{
	for (u32 i = 0; i < WORDS && count; i++) {
		for (u64 unused = ~a[i]; unused && count; unused = ~a[i], count--)
			a[i] |= 1ULL << __builtin_ctzll(unused);
	}
}

u64 bench(void *buffer, u64 iterations)
{
	u64 *a = buffer, *b = a + WORDS, sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		sum += visit(a, b);
		claim(a, 16);
		for (u32 i = 0; i < WORDS; i++) {
			a[i] = rol64(a[i], 7) ^ (a[i] >> 63 ? b[i] & b[i] << 3 : 0);
			b[i] = rol64(b[i], 11) & ~(a[i] & a[i] >> 5);
			b[i] |= sum & 1ULL << (i & 63);
		}
	}
	return sum;
}
