/* Two filters of second order, one after the other, over 256 samples of 16 bits. */
#include "float.h"

enum { SAMPLES = 256 };
struct biquad {
	float b0, b1, b2, a1, a2, z1, z2;
};

static noinline void run(struct biquad *filter, float *samples)
{
	float z1 = filter->z1, z2 = filter->z2;
	for (u32 i = 0; i < SAMPLES; i++) {
		float in = samples[i], out = filter->b0 * in + z1;
		z1 = filter->b1 * in - filter->a1 * out + z2;
		z2 = filter->b2 * in - filter->a2 * out;
		samples[i] = out;
	}
	filter->z1 = z1;
	filter->z2 = z2;
}

u64 bench(void *buffer, u64 iterations)
{
	i16 *sound = buffer;
	float *samples = (float *)(sound + SAMPLES);
	struct biquad low = {0.0675f, 0.1349f, 0.0675f, -1.1430f, 0.4128f, 0.0f, 0.0f},
		      high = {0.6389f, -1.2779f, 0.6389f, -1.1430f, 0.4128f, 0.0f, 0.0f};
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < SAMPLES; i++)
			samples[i] = (float)sound[i] / 32768.0f;
		run(&low, samples);
		run(&high, samples);
		for (u32 i = 0; i < SAMPLES; i++) {
			float scaled = samples[i] * 32767.0f;
			sound[i] = (i16)(i32)(scaled > 32767.0f ? 32767.0f : scaled < -32768.0f ? -32768.0f : scaled);
		}
		sound[n % SAMPLES] ^= 0x1555;
		sum = mix(sum, (u16)sound[n * 7 % SAMPLES]);
	}
	return sum;
}
