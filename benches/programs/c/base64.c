/* Base64 (RFC 4648) of 1,536 bytes, there and back. */
#include "bench.h"

enum { INPUT = 1536, OUTPUT = INPUT / 3 * 4 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static noinline void encode(const u8 *in, u8 *out)
{
	for (u32 i = 0; i < INPUT; i += 3, out += 4) {
		u32 word = (u32)in[i] << 16 | in[i + 1] << 8 | in[i + 2];
		out[0] = (u8)alphabet[word >> 18];
		out[1] = (u8)alphabet[word >> 12 & 63];
		out[2] = (u8)alphabet[word >> 6 & 63];
		out[3] = (u8)alphabet[word & 63];
	}
}

static noinline u32 decode(const u8 *in, const u8 *values, u8 *out)
{
	u32 wrong = 0;
	for (u32 i = 0; i < OUTPUT; i += 4, out += 3) {
		u32 a = values[in[i]], b = values[in[i + 1]], c = values[in[i + 2]], d = values[in[i + 3]];
		wrong |= a | b | c | d;
		u32 word = a << 18 | b << 12 | c << 6 | d;
		out[0] = (u8)(word >> 16);
		out[1] = (u8)(word >> 8);
		out[2] = (u8)word;
	}
	return wrong >> 6;
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *in = buffer, *text = in + INPUT, *out = text + OUTPUT, *values = out + INPUT;
	for (u32 i = 0; i < 256; i++)
		values[i] = 64;
	for (u32 i = 0; i < 64; i++)
		values[(u8)alphabet[i]] = (u8)i;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		encode(in, text);
		sum += decode(text, values, out);
		sum = mix(sum, out[n % INPUT]);
		in[n % INPUT] += out[(n + 1) % INPUT];
	}
	return sum;
}
