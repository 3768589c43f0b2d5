/* UTF-8 into UTF-16 with replacements of what is malformed, and back. */
#include "bench.h"

enum { BYTES = 1024 };

/* The next code point; what is malformed is U+FFFD, and one byte long. */
static u32 next(const u8 **at, const u8 *end)
{
	const u8 *bytes = *at;
	u32 first = bytes[0];
	if (first < 0x80) {
		*at = bytes + 1;
		return first;
	}
	u32 more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
	if (first < 0xc2 || first > 0xf4 || end - bytes <= (i64)more) {
		*at = bytes + 1;
		return 0xfffd;
	}
	u32 point = first & (0x3f >> more);
	for (u32 i = 1; i <= more; i++) {
		if ((bytes[i] & 0xc0) != 0x80) {
			*at = bytes + 1;
			return 0xfffd;
		}
		point = point << 6 | (bytes[i] & 0x3f);
	}
	if ((more == 2 && (point < 0x800 || point >> 11 == 0x1b)) || (more == 3 && (point < 0x10000 || point > 0x10ffff))) {
		*at = bytes + 1;
		return 0xfffd;
	}
	*at = bytes + more + 1;
	return point;
}

static noinline u32 widen(const u8 *text, u32 length, u16 *to)
{
	const u8 *end = text + length;
	u32 units = 0;
	while (text < end) {
		u32 point = next(&text, end);
		if (point < 0x10000) {
			to[units++] = (u16)point;
		} else {
			to[units++] = (u16)(0xd7c0 + (point >> 10));
			to[units++] = (u16)(0xdc00 | (point & 0x3ff));
		}
	}
	return units;
}

static noinline u32 narrow(const u16 *text, u32 units, u8 *to)
{
	u8 *start = to;
	for (u32 i = 0; i < units; i++) {
		u32 point = text[i];
		if (point >> 10 == 0x36 && i + 1 < units && text[i + 1] >> 10 == 0x37)
			point = 0x10000 + ((point & 0x3ff) << 10 | (text[++i] & 0x3ff));
		if (point < 0x80) {
			*to++ = (u8)point;
		} else if (point < 0x800) {
			*to++ = (u8)(0xc0 | point >> 6);
			*to++ = (u8)(0x80 | (point & 0x3f));
		} else if (point < 0x10000) {
			*to++ = (u8)(0xe0 | point >> 12);
			*to++ = (u8)(0x80 | (point >> 6 & 0x3f));
			*to++ = (u8)(0x80 | (point & 0x3f));
		} else {
			*to++ = (u8)(0xf0 | point >> 18);
			*to++ = (u8)(0x80 | (point >> 12 & 0x3f));
			*to++ = (u8)(0x80 | (point >> 6 & 0x3f));
			*to++ = (u8)(0x80 | (point & 0x3f));
		}
	}
	return (u32)(to - start);
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *text = buffer, *back = text + BYTES;
	u16 *wide = (u16 *)(back + 3 * BYTES);
	u32 state = 11, length = 0;
	u64 sum = 0;
	/* Mostly ASCII, and some of each length. */
	for (; length + 4 < BYTES;) {
		u32 random = next_random(&state), kind = random & 7;
		u16 units[2] = { (u16)(kind < 4 ? random >> 8 & 0x7f : kind < 6 ? random >> 8 & 0x7ff : random >> 8 & 0x7fff), 0 };
		if (kind == 7) {
			units[0] = (u16)(0xd800 | (random >> 8 & 0x3ff));
			units[1] = (u16)(0xdc00 | (random >> 20 & 0x3ff));
		}
		length += narrow(units, kind == 7 ? 2 : 1, text + length);
	}
	for (u64 n = 0; n < iterations; n++) {
		text[n % length] ^= 1;
		u32 units = widen(text, length, wide);
		sum = mix(sum, narrow(wide, units, back) + (u64)wide[units / 2]);
	}
	return sum;
}
