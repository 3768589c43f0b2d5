/* The longest common subsequence of two strings of 256 letters. */
#include "bench.h"

enum { LENGTH = 256 };

static noinline u32 lcs(const u8 *a, const u8 *b, u16 *row)
{
	for (u32 j = 0; j <= LENGTH; j++)
		row[j] = 0;
	for (u32 i = 0; i < LENGTH; i++) {
		u16 diagonal = 0;
		for (u32 j = 0; j < LENGTH; j++) {
			u16 above = row[j + 1], left = row[j];
			if (a[i] == b[j])
				row[j + 1] = diagonal + 1;
			else
				row[j + 1] = above > left ? above : left;
			diagonal = above;
		}
	}
	return row[LENGTH];
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *a = buffer, *b = a + LENGTH;
	u16 *row = (u16 *)(b + LENGTH);
	u64 sum = 0;
	for (u32 i = 0; i < 2 * LENGTH; i++)
		a[i] &= 3;
	for (u64 n = 0; n < iterations; n++) {
		sum = mix(sum, lcs(a, b, row));
		a[n % LENGTH] = (u8)(sum & 3);
	}
	return sum;
}
