/* Deflate's canonical codes (RFC 1951): tables from lengths, symbols and distances of a stream, copies from a window. */
#include "bench.h"

enum { PACKED = 768, WINDOW = 1024, CODES = 32, FAST = 7 };

struct reader {
	const u8 *at, *end;
	u64 bits;
	u32 held;
};

struct code {
	u16 counts[16], symbols[CODES], fast[1 << FAST];
};

static const u16 bases[16] = { 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31 };
static const u8 extras[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2 };

static void refill(struct reader *reader)
{
	while (reader->held <= 56) {
		if (reader->at < reader->end)
			reader->bits |= (u64)*reader->at++ << reader->held;
		reader->held += 8;
	}
}

static u32 take(struct reader *reader, u32 count)
{
	u32 bits = (u32)reader->bits & ((1u << count) - 1);
	reader->bits >>= count;
	reader->held -= count;
	return bits;
}

static noinline void build(struct code *code, const u8 *lengths)
{
	u16 offsets[16], next[16];
	for (u32 i = 0; i < 16; i++)
		code->counts[i] = 0;
	for (u32 i = 0; i < CODES; i++)
		code->counts[lengths[i]]++;
	code->counts[0] = offsets[1] = next[0] = 0;
	for (u32 i = 1; i < 16; i++) {
		next[i] = (u16)((next[i - 1] + code->counts[i - 1]) << 1);
		if (i > 1)
			offsets[i] = offsets[i - 1] + code->counts[i - 1];
	}
	for (u32 i = 0; i < 1 << FAST; i++)
		code->fast[i] = 0;
	for (u32 i = 0; i < CODES; i++) {
		u32 length = lengths[i];
		if (!length)
			continue;
		code->symbols[offsets[length]++] = (u16)i;
		u32 bits = next[length]++, reversed = 0;
		for (u32 k = 0; k < length; k++)
			reversed |= (bits >> k & 1) << (length - 1 - k);
		for (; length <= FAST && reversed < 1 << FAST; reversed += 1u << length)
			code->fast[reversed] = (u16)(i << 4 | length);
	}
}

static u32 symbol(struct reader *reader, const struct code *code)
{
	u32 fast = code->fast[reader->bits & ((1 << FAST) - 1)];
	if (fast) {
		take(reader, fast & 15);
		return fast >> 4;
	}
	u32 bits = 0, first = 0, index = 0;
	for (u32 length = 1; length < 16; length++) {
		bits |= take(reader, 1);
		u32 count = code->counts[length];
		if (bits < first + count)
			return code->symbols[index + bits - first];
		index += count;
		first = (first + count) << 1;
		bits <<= 1;
	}
	return 0;
}

/* Symbols below 16 are bytes, the others lengths of copies. */
static noinline u32 inflate(struct reader *reader, const struct code *code, u8 *window)
{
	u32 out = 0;
	while (reader->at < reader->end && out + 64 < WINDOW) {
		refill(reader);
		u32 what = symbol(reader, code);
		if (what < 16) {
			window[out++] = (u8)(what * 7);
			continue;
		}
		u32 length = bases[what - 16] + take(reader, extras[what - 16]);
		u32 distance = take(reader, 5) + 1;
		for (u32 i = 0; i < length; i++, out++)
			window[out] = distance <= out ? window[out - distance] : 0;
	}
	return out;
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *packed = buffer, *lengths = packed + PACKED, *window = lengths + CODES;
	struct code *code = (struct code *)(window + WINDOW);
	u64 sum = 0;
	/* A complete code: lengths of 3 to 9 bits. */
	for (u32 i = 0; i < CODES; i++)
		lengths[i] = i < 4 ? 3 : i < 8 ? 4 : i < 12 ? 6 : i < 16 ? 7 : i < 24 ? 6 : i < 28 ? 8 : 9;
	for (u64 n = 0; n < iterations; n++) {
		struct reader reader = { packed + n % 64, packed + PACKED, 0, 0 };
		build(code, lengths);
		u32 length = inflate(&reader, code, window);
		sum = mix(sum, length);
		for (u32 i = 0; i < length; i += 8)
			sum += window[i];
	}
	return sum;
}
