/* A filter of 16 taps over 512 samples in fixed point. */
#include "bench.h"

enum { TAPS = 16, SAMPLES = 512 };

static noinline void filter(const i16 *in, const i16 *taps, i16 *out)
{
	for (u32 i = 0; i < SAMPLES; i++) {
		i32 sum = 0x4000;
		for (u32 k = 0; k < TAPS; k++)
			sum += in[i + k] * taps[k];
		sum >>= 15;
		out[i] = (i16)(sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum);
	}
}

u64 bench(void *buffer, u64 iterations)
{
	i16 *taps = buffer, *in = taps + TAPS, *out = in + SAMPLES + TAPS;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		filter(in, taps, out);
		sum = mix(sum, (u16)out[n % SAMPLES]);
		in[n % SAMPLES] ^= out[(n + 5) % SAMPLES];
	}
	return sum;
}
