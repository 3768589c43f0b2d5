/* Conway's Life on 64 by 64 cells, a row in a word, neighbours added bit by bit. */
#include "bench.h"

enum { ROWS = 64 };

static noinline void step(const u64 *from, u64 *to)
{
	for (u32 y = 0; y < ROWS; y++) {
		u64 rows[3] = { from[(y + ROWS - 1) % ROWS], from[y], from[(y + 1) % ROWS] };
		u64 ones = 0, twos = 0, fours = 0;
		for (u32 k = 0; k < 3; k++) {
			u64 left = rol64(rows[k], 1), right = rol64(rows[k], 63), middle = k == 1 ? 0 : rows[k];
			u64 sum = left ^ right ^ middle, carry = (left & right) | (middle & (left ^ right));
			u64 over = ones & sum;
			ones ^= sum;
			u64 twice = carry ^ over, both = carry & over;
			fours |= (twos & twice) | both;
			twos ^= twice;
		}
		to[y] = twos & ~fours & (ones | rows[1]);
	}
}

u64 bench(void *buffer, u64 iterations)
{
	u64 *a = buffer, *b = a + ROWS, sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		step(a, b);
		step(b, a);
		sum = mix(sum, a[n % ROWS]);
		a[n % ROWS] ^= sum;
	}
	return sum;
}
