/* A still picture's blocks: codes of one to twelve bits, runs and levels, a transform of eight points both ways, bytes.
 *
 * All state is bytes and numbers of 16 bits, as in code for small machines: a decoder of a bit at a time, counters of a
 * byte, sums that are cut to 16 bits, and clamps. */
#include "bench.h"

enum { BYTES = 768, LENGTHS = 12, POINTS = 64, BLOCKS = 6 };

struct codes {
	u16 first[LENGTHS], last[LENGTHS];
	u8 place[LENGTHS];
	u8 symbols[48];
};

struct decoder {
	u8 bytes[BYTES];
	u16 at;
	u16 window;
	u8 left;
	u8 missing;
	struct codes codes;
	i16 points[POINTS];
	i16 scale[POINTS];
	u8 picture[POINTS];
};

static noinline u8 next_byte(struct decoder *decoder)
{
	u8 byte = decoder->bytes[decoder->at];
	if (++decoder->at == BYTES)
		decoder->at = 0;
	return byte;
}

static u8 bit(struct decoder *decoder)
{
	u8 first = decoder->window >> 15;
	if (!decoder->left) {
		decoder->window |= next_byte(decoder);
		decoder->left += 8;
	}
	decoder->left--;
	decoder->window <<= 1;
	return first;
}

static noinline u8 symbol(struct decoder *decoder)
{
	u16 code = bit(decoder);
	for (u8 length = 0; length < LENGTHS; length++) {
		u16 last = decoder->codes.last[length];
		if (code <= last && last != 0xffff)
			return decoder->codes.symbols[(u8)(decoder->codes.place[length] + code - decoder->codes.first[length])];
		code = code << 1 | bit(decoder);
	}
	decoder->missing++;
	return 0;
}

static noinline i16 level(struct decoder *decoder, u8 bits)
{
	u16 value = 0;
	for (u8 n = bits; n; n--)
		value = value << 1 | bit(decoder);
	return value < 1 << bits >> 1 ? value - (1 << bits) + 1 : value;
}

static noinline void read_block(struct decoder *decoder)
{
	u8 place = 0;
	while (place < POINTS) {
		u8 run_and_bits = symbol(decoder);
		u8 bits = run_and_bits & 15, run = run_and_bits >> 4;
		if (!bits)
			break;
		while (run-- && place < POINTS - 1)
			decoder->points[place++] = 0;
		decoder->points[place] = level(decoder, bits) * decoder->scale[place];
		place++;
	}
	while (place < POINTS)
		decoder->points[place++] = 0;
}

static i16 times(i16 value, i32 factor)
{
	return (value * factor + 128) >> 8;
}

/* Four sums and four differences, turned and put together, of points that lie `step` apart. */
static void transform(i16 *points, u8 step)
{
	i16 even = points[0] + points[4 * step], odd = points[0] - points[4 * step];
	i16 low = points[2 * step] + points[6 * step];
	i16 high = times(points[2 * step] - points[6 * step], 362) - low;
	i16 a = points[step] + points[7 * step], b = points[step] - points[7 * step];
	i16 c = points[5 * step] + points[3 * step], d = points[5 * step] - points[3 * step];
	i16 turned = times(b + d, 473) - (a + c), rest = times(a - c, 362) - turned;
	points[0] = even + low + a + c;
	points[step] = odd + high + turned;
	points[2 * step] = odd - high + rest;
	points[3 * step] = even - low - times(d, 277);
	points[4 * step] = even - low + times(d, 277);
	points[5 * step] = odd - high - rest;
	points[6 * step] = odd + high - turned;
	points[7 * step] = even + low - a - c;
}

static u8 byte(i16 value)
{
	if ((u16)value > 255)
		return value < 0 ? 0 : 255;
	return value;
}

static noinline void put_block(struct decoder *decoder)
{
	for (u8 row = 0; row < 8; row++) {
		const i16 *points = decoder->points + 8 * row;
		if (points[1] | points[2] | points[3] | points[4] | points[5] | points[6] | points[7])
			transform(decoder->points + 8 * row, 1);
	}
	for (u8 column = 0; column < 8; column++)
		transform(decoder->points + column, 8);
	for (u8 place = 0; place < POINTS; place++)
		decoder->picture[place] = byte(decoder->picture[place] / 2 + ((decoder->points[place] + 64) >> 7) + 64);
}

static void make_codes(struct codes *codes)
{
	static const u8 counts[LENGTHS] = { 0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8 };
	u16 code = 0;
	u8 place = 0;
	for (u8 length = 0; length < LENGTHS; length++) {
		codes->first[length] = code;
		codes->place[length] = place;
		codes->last[length] = counts[length] ? code + counts[length] - 1 : 0xffff;
		place += counts[length];
		code = (code + counts[length]) << 1;
	}
	for (u8 n = 0; n < 48; n++)
		codes->symbols[n] = n ? (n * 5 & 3) << 4 | (n * 7 & 7) : 0x01;
	codes->symbols[2] = 0;
}

u64 bench(void *buffer, u64 iterations)
{
	struct decoder *decoder = buffer;
	u64 sum = 0;
	make_codes(&decoder->codes);
	decoder->at = decoder->window = decoder->left = decoder->missing = 0;
	for (u8 place = 0; place < POINTS; place++) {
		decoder->scale[place] = 3 + place / 4;
		decoder->picture[place] = 128;
	}
	for (u64 n = 0; n < iterations; n++) {
		for (u8 block = 0; block < BLOCKS; block++) {
			read_block(decoder);
			put_block(decoder);
		}
		for (u8 place = 0; place < POINTS; place++)
			sum = mix(sum, decoder->picture[place]);
		sum += decoder->missing;
	}
	return sum;
}
