/* Levenshtein's distance of two strings of 128 letters. */
#include "bench.h"

enum { LENGTH = 128 };

static u32 min(u32 a, u32 b)
{
	return a < b ? a : b;
}

static noinline u32 distance(const u8 *a, const u8 *b, u32 *row)
{
	for (u32 j = 0; j <= LENGTH; j++)
		row[j] = j;
	for (u32 i = 1; i <= LENGTH; i++) {
		u32 diagonal = row[0];
		row[0] = i;
		for (u32 j = 1; j <= LENGTH; j++) {
			u32 changed = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			row[j] = min(changed, min(row[j - 1], row[j]) + 1);
		}
	}
	return row[LENGTH];
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *a = buffer, *b = a + LENGTH;
	u32 *row = (u32 *)(b + LENGTH);
	u64 sum = 0;
	for (u32 i = 0; i < 2 * LENGTH; i++)
		a[i] &= 7;
	for (u64 n = 0; n < iterations; n++) {
		sum = mix(sum, distance(a, b, row));
		a[n % LENGTH] = (u8)(sum & 7);
	}
	return sum;
}
