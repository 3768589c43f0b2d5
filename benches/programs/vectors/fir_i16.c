/* A filter over 100 samples whose taps are known at run time only, as in Embench's edn. */
#include "bench.h"

static noinline void filter(const i16 *in, const i16 *taps, i32 *out, u32 samples, u32 count)
{
	for (u32 i = 0; i < samples; i++) {
		i32 sum = 0;
		for (u32 k = 0; k < count; k++)
			sum += in[i + k] * taps[k];
		out[i] = sum >> 15;
	}
}

u64 bench(void *buffer, u64 iterations)
{
	i16 *taps = buffer, *in = taps + 64;
	i32 *out = (i32 *)(in + 256);
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		filter(in, taps, out, 100, 50 - (n & 1));
		sum = mix(sum, (u32)out[n % 100]);
		in[n % 150] ^= (i16)out[(n + 5) % 100];
	}
	return sum;
}
