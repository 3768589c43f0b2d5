/* The Mandelbrot set on 32 by 24 points in fixed point, 48 steps at most. */
#include "bench.h"

u64 bench(void *buffer, u64 iterations)
{
	i64 shift = *(u8 *)buffer;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (i64 py = -12; py < 12; py++) {
			for (i64 px = -22; px < 10; px++) {
				i64 cx = (px << 12) / 10 * 4 / 4 + shift, cy = (py << 12) / 10, x = 0, y = 0;
				u32 step = 0;
				for (; step < 48; step++) {
					i64 xx = x * x >> 12, yy = y * y >> 12;
					if (xx + yy > 4 << 12)
						break;
					y = (x * y >> 11) + cy;
					x = xx - yy + cx;
				}
				sum += step;
			}
		}
		shift ^= (i64)(sum & 7);
	}
	return sum;
}
