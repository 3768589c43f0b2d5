/* A blur of 3 by 3 over an image of 64 by 24 bytes. */
#include "bench.h"

enum { WIDTH = 64, HEIGHT = 24 };

static noinline void blur(u8 *to, const u8 *from, u32 width, u32 height)
{
	for (u32 y = 1; y + 1 < height; y++) {
		const u8 *above = from + (y - 1) * width, *row = above + width, *below = row + width;
		u8 *out = to + y * width;
		for (u32 x = 1; x + 1 < width; x++)
			out[x] = (u8)((above[x - 1] + 2 * above[x] + above[x + 1] + 2 * row[x - 1] + 4 * row[x] +
				       2 * row[x + 1] + below[x - 1] + 2 * below[x] + below[x + 1] + 8) >>
				      4);
	}
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *from = buffer, *to = from + WIDTH * HEIGHT;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		blur(to, from, WIDTH - (n & 1), HEIGHT);
		sum = mix(sum, to[n % (WIDTH * HEIGHT)]);
		from[(n * 7) % (WIDTH * HEIGHT)] = (u8)sum;
	}
	return sum;
}
