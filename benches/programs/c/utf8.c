/* Checks and decodes 4 KiB of UTF-8 (RFC 3629). */
#include "bench.h"

enum { TEXT = 4096 };

static noinline i64 decode(const u8 *at, const u8 *end)
{
	i64 sum = 0;
	while (at < end) {
		u32 c = *at++, more, least;
		if (c < 0x80) {
			sum += c;
			continue;
		}
		if (c >= 0xc2 && c < 0xe0) {
			more = 1;
			least = 0x80;
			c &= 31;
		} else if (c >= 0xe0 && c < 0xf0) {
			more = 2;
			least = 0x800;
			c &= 15;
		} else if (c >= 0xf0 && c < 0xf5) {
			more = 3;
			least = 0x10000;
			c &= 7;
		} else {
			return -1;
		}
		for (; more > 0; more--) {
			if (at == end || (*at & 0xc0) != 0x80)
				return -2;
			c = c << 6 | (*at++ & 63);
		}
		if (c < least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
			return -3;
		sum += c;
	}
	return sum;
}

static u32 encode(u8 *out, u32 c)
{
	if (c < 0x80) {
		out[0] = (u8)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (u8)(0xc0 | c >> 6);
		out[1] = (u8)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (u8)(0xe0 | c >> 12);
		out[1] = (u8)(0x80 | (c >> 6 & 63));
		out[2] = (u8)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (u8)(0xf0 | c >> 18);
	out[1] = (u8)(0x80 | (c >> 12 & 63));
	out[2] = (u8)(0x80 | (c >> 6 & 63));
	out[3] = (u8)(0x80 | (c & 63));
	return 4;
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *text = buffer;
	u32 length = 0, state = 3;
	while (length < TEXT) {
		u32 random = next_random(&state), kind = random & 15, c = random >> 8;
		length += encode(text + length, kind < 9 ? c & 127 : kind < 12 ? c & 0x7ff : kind < 15 ? c & 0x7fff : 0x10000 | (c & 0xffff));
	}
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		/* One in eight is broken near its end. */
		u8 kept = text[4000];
		if (n % 8 == 7)
			text[4000] = 0xff;
		sum = mix(sum, (u64)decode(text, text + length));
		text[4000] = kept;
	}
	return sum;
}
