/* The Mandelbrot set on 32 by 24 points, 48 steps at most. */
#include "float.h"

u64 bench(void *buffer, u64 iterations)
{
	u32 state = seed(buffer);
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		double shift = unit(&state) * 0.01;
		for (i32 py = 0; py < 24; py++) {
			for (i32 px = 0; px < 32; px++) {
				double cx = (double)px / 16.0 - 1.5 + shift, cy = (double)py / 12.0 - 1.0, x = 0.0, y = 0.0;
				u32 step = 0;
				for (; step < 48; step++) {
					double xx = x * x, yy = y * y;
					if (xx + yy > 4.0)
						break;
					y = 2.0 * x * y + cy;
					x = xx - yy + cx;
				}
				sum += step;
			}
		}
	}
	return sum;
}
