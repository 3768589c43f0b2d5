/* An image of 16 by 16 floats, sampled at 24 by 24 places between its points. */
#include "float.h"

enum { SIDE = 16, SAMPLES = 24 };

static noinline float sample(const float *image, double x, double y)
{
	double left = floor(x), top = floor(y);
	i32 column = (i32)left, row = (i32)top;
	float fx = (float)(x - left), fy = (float)(y - top);
	const float *at = &image[row * SIDE + column];
	float upper = at[0] + fx * (at[1] - at[0]), lower = at[SIDE] + fx * (at[SIDE + 1] - at[SIDE]);
	return upper + fy * (lower - upper);
}

u64 bench(void *buffer, u64 iterations)
{
	float *image = buffer, *out = image + SIDE * SIDE;
	u32 state = seed(buffer);
	u64 sum = 0;
	fill_f32(image, SIDE * SIDE, &state);
	for (u64 n = 0; n < iterations; n++) {
		double zoom = 0.6 - (double)(n % 8) * 0.03;
		for (u32 y = 0; y < SAMPLES; y++)
			for (u32 x = 0; x < SAMPLES; x++)
				out[y * SAMPLES + x] = sample(image, (double)x * zoom, (double)y * zoom);
		image[n % (SIDE * SIDE)] = out[n * 7 % (SAMPLES * SAMPLES)];
		sum = mix_f32(sum, out[n * 31 % (SAMPLES * SAMPLES)]);
	}
	return sum;
}
