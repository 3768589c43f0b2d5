/* Run-length coding and decoding of 4 KiB. */
#include "bench.h"

enum { INPUT = 4096 };

static noinline u32 encode(const u8 *in, u8 *out)
{
	u32 length = 0;
	for (u32 i = 0; i < INPUT;) {
		u32 run = 1;
		while (i + run < INPUT && run < 255 && in[i + run] == in[i])
			run++;
		out[length++] = (u8)run;
		out[length++] = in[i];
		i += run;
	}
	return length;
}

static noinline u32 decode(const u8 *in, u32 length, u8 *out)
{
	u32 at = 0;
	for (u32 i = 0; i < length; i += 2)
		for (u32 run = in[i]; run > 0; run--)
			out[at++] = in[i + 1];
	return at;
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *in = buffer, *packed = in + INPUT, *out = packed + 2 * INPUT;
	u32 state = 7;
	for (u32 i = 0; i < INPUT;) {
		u32 random = next_random(&state);
		for (u32 run = 1 + (random >> 8 & 15); run > 0 && i < INPUT; run--)
			in[i++] = (u8)random;
	}
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		u32 length = encode(in, packed);
		sum += length + decode(packed, length, out);
		in[n % INPUT] ^= out[(n * 7 + 1) % INPUT] & 3;
	}
	return sum;
}
