/* 256 pixels from RGB to luma and colour differences and back, by way of floats. */
#include "float.h"

enum { PIXELS = 256 };

static inline u8 limited(float value)
{
	return value <= 0.0f ? 0 : value >= 255.0f ? 255 : (u8)(u32)(value + 0.5f);
}

static noinline void forth(const u8 *rgb, u8 *ycc)
{
	for (u32 i = 0; i < 3 * PIXELS; i += 3) {
		float r = rgb[i], g = rgb[i + 1], b = rgb[i + 2], y = 0.299f * r + 0.587f * g + 0.114f * b;
		ycc[i] = limited(y);
		ycc[i + 1] = limited((b - y) * 0.564f + 128.0f);
		ycc[i + 2] = limited((r - y) * 0.713f + 128.0f);
	}
}

static noinline void back(const u8 *ycc, u8 *rgb)
{
	for (u32 i = 0; i < 3 * PIXELS; i += 3) {
		float y = ycc[i], cb = (float)ycc[i + 1] - 128.0f, cr = (float)ycc[i + 2] - 128.0f;
		rgb[i] = limited(y + 1.403f * cr);
		rgb[i + 1] = limited(y - 0.344f * cb - 0.714f * cr);
		rgb[i + 2] = limited(y + 1.773f * cb);
	}
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *rgb = buffer, *ycc = rgb + 3 * PIXELS;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		forth(rgb, ycc);
		back(ycc, rgb);
		rgb[n % (3 * PIXELS)] ^= 0x55;
		sum = mix(sum, ycc[n * 7 % (3 * PIXELS)]);
	}
	return sum;
}
