/* A compressor of the LZ77 family with bytes for everything: a token of two lengths, literals, a distance. */
#ifndef LZ_H
#define LZ_H
#include "bench.h"

enum { INPUT = 8192, TABLE = 1024 };

struct lz {
	u8 input[INPUT];
	u8 packed[INPUT + 512];
	u8 output[INPUT + 16];
	u16 table[TABLE];
};

static const char words[16][8] = {
	"the ", "packet ", "of ", "bytes ", "and ", "a ", "header ", "from ",
	"kernel ", "to ", "map ", "key ", "value ", "is ", "in ", "\n",
};

/* Text of words, with a random byte now and then. */
static void make_text(u8 *out)
{
	u32 state = 12345, length = 0;
	while (length < INPUT) {
		u32 random = next_random(&state);
		const char *word = words[random & 15];
		for (u32 i = 0; i < 8 && word[i] && length < INPUT; i++)
			out[length++] = (u8)word[i];
		if ((random >> 8 & 15) == 0 && length < INPUT)
			out[length++] = (u8)(random >> 16);
	}
}

static u32 load32(const u8 *at)
{
	return at[0] | at[1] << 8 | at[2] << 16 | (u32)at[3] << 24;
}

static u8 *put_length(u8 *out, u32 length)
{
	for (; length >= 255; length -= 255)
		*out++ = 255;
	*out++ = (u8)length;
	return out;
}

static u8 *put_sequence(u8 *out, const u8 *literals, u32 count, u32 match, u32 distance)
{
	u8 *token = out++;
	*token = (u8)((count < 15 ? count : 15) << 4 | (match < 15 ? match : 15));
	if (count >= 15)
		out = put_length(out, count - 15);
	for (u32 i = 0; i < count; i++)
		*out++ = literals[i];
	*out++ = (u8)distance;
	*out++ = (u8)(distance >> 8);
	if (match >= 15)
		out = put_length(out, match - 15);
	return out;
}

__attribute__((unused)) static noinline u32 compress(struct lz *lz)
{
	const u8 *in = lz->input;
	u8 *out = lz->packed;
	u32 at = 1, anchor = 0;
	for (u32 i = 0; i < TABLE; i++)
		lz->table[i] = 0;
	while (at + 12 < INPUT) {
		u32 word = load32(in + at);
		u32 slot = word * 2654435761u >> 22;
		u32 candidate = lz->table[slot];
		lz->table[slot] = (u16)at;
		if (load32(in + candidate) != word) {
			at++;
			continue;
		}
		u32 length = 4;
		while (at + length + 5 < INPUT && in[candidate + length] == in[at + length])
			length++;
		out = put_sequence(out, in + anchor, at - anchor, length - 4, at - candidate);
		at += length;
		anchor = at;
	}
	/* What is left is literals: distance 0 ends. */
	out = put_sequence(out, in + anchor, INPUT - anchor, 0, 0);
	return (u32)(out - lz->packed);
}

__attribute__((unused)) static noinline u32 decompress(const u8 *in, u8 *start)
{
	u8 *out = start;
	for (;;) {
		u32 token = *in++, count = token >> 4, length = token & 15;
		if (count == 15) {
			u32 more;
			do {
				more = *in++;
				count += more;
			} while (more == 255);
		}
		for (u32 i = 0; i < count; i++)
			*out++ = *in++;
		u32 distance = in[0] | in[1] << 8;
		in += 2;
		if (distance == 0)
			return (u32)(out - start);
		if (length == 15) {
			u32 more;
			do {
				more = *in++;
				length += more;
			} while (more == 255);
		}
		const u8 *from = out - distance;
		for (length += 4; length > 0; length--)
			*out++ = *from++;
	}
}

static u64 checksum(const u8 *data, u32 length)
{
	u64 sum = length;
	for (u32 i = 0; i < length; i++)
		sum = sum * 31 + data[i];
	return sum;
}

#endif
