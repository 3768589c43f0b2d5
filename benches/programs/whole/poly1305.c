/* Poly1305 (RFC 8439) of one kilobyte, in limbs of 26 bits. */
#include "bench.h"

static u32 word(const u8 *bytes)
{
	return (u32)bytes[0] | (u32)bytes[1] << 8 | (u32)bytes[2] << 16 | (u32)bytes[3] << 24;
}

static noinline void blocks(u32 *h, const u32 *r, const u8 *message, u32 length)
{
	u32 r0 = r[0], r1 = r[1], r2 = r[2], r3 = r[3], r4 = r[4];
	u32 s1 = r1 * 5, s2 = r2 * 5, s3 = r3 * 5, s4 = r4 * 5;
	u32 h0 = h[0], h1 = h[1], h2 = h[2], h3 = h[3], h4 = h[4];
	for (; length >= 16; length -= 16, message += 16) {
		h0 += word(message) & 0x3ffffff;
		h1 += word(message + 3) >> 2 & 0x3ffffff;
		h2 += word(message + 6) >> 4 & 0x3ffffff;
		h3 += word(message + 9) >> 6;
		h4 += word(message + 12) >> 8 | 1 << 24;
		u64 d0 = (u64)h0 * r0 + (u64)h1 * s4 + (u64)h2 * s3 + (u64)h3 * s2 + (u64)h4 * s1;
		u64 d1 = (u64)h0 * r1 + (u64)h1 * r0 + (u64)h2 * s4 + (u64)h3 * s3 + (u64)h4 * s2;
		u64 d2 = (u64)h0 * r2 + (u64)h1 * r1 + (u64)h2 * r0 + (u64)h3 * s4 + (u64)h4 * s3;
		u64 d3 = (u64)h0 * r3 + (u64)h1 * r2 + (u64)h2 * r1 + (u64)h3 * r0 + (u64)h4 * s4;
		u64 d4 = (u64)h0 * r4 + (u64)h1 * r3 + (u64)h2 * r2 + (u64)h3 * r1 + (u64)h4 * r0;
		h0 = d0 & 0x3ffffff;
		d1 += d0 >> 26;
		h1 = d1 & 0x3ffffff;
		d2 += d1 >> 26;
		h2 = d2 & 0x3ffffff;
		d3 += d2 >> 26;
		h3 = d3 & 0x3ffffff;
		d4 += d3 >> 26;
		h4 = d4 & 0x3ffffff;
		h0 += (u32)(d4 >> 26) * 5;
		h1 += h0 >> 26;
		h0 &= 0x3ffffff;
	}
	h[0] = h0;
	h[1] = h1;
	h[2] = h2;
	h[3] = h3;
	h[4] = h4;
}

u64 bench(void *buffer, u64 iterations)
{
	u32 h[5] = { 0 }, r[5];
	const u8 *key = (u8 *)buffer + 1024;
	r[0] = word(key) & 0x3ffffff;
	r[1] = word(key + 3) >> 2 & 0x3ffff03;
	r[2] = word(key + 6) >> 4 & 0x3ffc0ff;
	r[3] = word(key + 9) >> 6 & 0x3f03fff;
	r[4] = word(key + 12) >> 8 & 0x00fffff;
	for (u64 n = 0; n < iterations; n++)
		blocks(h, r, buffer, 1024);
	return mix(h[0] | (u64)h[1] << 32, h[2] ^ (u64)h[3] << 20 ^ (u64)h[4] << 38);
}
