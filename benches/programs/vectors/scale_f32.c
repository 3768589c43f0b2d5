/* Scales 500 numbers of 32 bits and adds an offset. */
#include "../floats/float.h"

static noinline void scale(float *to, const float *from, float factor, float offset, u32 count)
{
	for (u32 i = 0; i < count; i++)
		to[i] = from[i] * factor + offset;
}

u64 bench(void *buffer, u64 iterations)
{
	float *from = buffer, *to = from + 500;
	u32 state = seed(buffer);
	u64 sum = 0;
	fill_f32(from, 500, &state);
	for (u64 n = 0; n < iterations; n++) {
		scale(to, from, n & 1 ? 0.75f : 1.5f, 0.25f, 500 - (n & 7));
		sum = mix_f32(sum, to[n % 500]);
		from[n * 7 % 500] = (float)unit(&state);
	}
	return sum;
}
