/* A filter of 3 by 3 over an image of 32 by 32 bytes: bytes to float, and back with rounding and limits. */
#include "float.h"

enum { SIDE = 32 };

static noinline void filter(const u8 *from, u8 *to, const float *kernel)
{
	for (u32 y = 1; y < SIDE - 1; y++)
		for (u32 x = 1; x < SIDE - 1; x++) {
			float sum = 0.0f;
			for (u32 ky = 0; ky < 3; ky++)
				for (u32 kx = 0; kx < 3; kx++)
					sum += kernel[ky * 3 + kx] * (float)from[(y + ky - 1) * SIDE + x + kx - 1];
			sum = sum < 0.0f ? 0.0f : sum > 255.0f ? 255.0f : sum;
			to[y * SIDE + x] = (u8)(i32)(sum + 0.5f);
		}
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *image = buffer, *filtered = image + SIDE * SIDE;
	float *kernel = (float *)(filtered + SIDE * SIDE);
	u32 state = seed(buffer);
	u64 sum = 0;
	fill_f32(kernel, 9, &state);
	for (u32 i = 0; i < 9; i++)
		kernel[i] = kernel[i] * 0.5f - 0.1f;
	for (u64 n = 0; n < iterations; n++) {
		filter(image, filtered, kernel);
		image[n % (SIDE * SIDE)] ^= filtered[n * 7 % (SIDE * SIDE)];
		sum = mix(sum, filtered[n * 31 % (SIDE * SIDE)]);
	}
	return sum;
}
