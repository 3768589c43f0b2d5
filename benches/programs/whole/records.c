/* Records of a database's page: variable-length numbers, types of columns, comparisons of keys, a filter by a program. */
#include "bench.h"

enum { PAGE = 4096, RECORDS = 120 };

/* Seven bits a byte, highest first; up to nine bytes. */
static noinline u32 varint(const u8 *at, u64 *value)
{
	u64 number = 0;
	for (u32 i = 0; i < 8; i++) {
		number = number << 7 | (at[i] & 0x7f);
		if (!(at[i] & 0x80)) {
			*value = number;
			return i + 1;
		}
	}
	*value = number << 8 | at[8];
	return 9;
}

static noinline u32 put(u8 *at, u64 value)
{
	u8 bytes[10];
	u32 count = 0;
	do {
		bytes[count] = (u8)((value & 0x7f) | (count ? 0x80 : 0));
		count++;
		value >>= 7;
	} while (value);
	for (u32 i = 0; i < count; i++)
		at[i] = bytes[count - 1 - i];
	return count;
}

static noinline i64 integer(const u8 *at, u32 type)
{
	switch (type) {
	case 1:
		return (i8)at[0];
	case 2:
		return (i16)(at[0] << 8 | at[1]);
	case 3:
		return (i32)((u32)at[0] << 24 | (u32)at[1] << 16 | (u32)at[2] << 8) >> 8;
	case 4:
		return (i32)((u32)at[0] << 24 | (u32)at[1] << 16 | (u32)at[2] << 8 | at[3]);
	case 8:
		return 0;
	case 9:
		return 1;
	default:
		return -1;
	}
}

static u32 size_of(u64 type)
{
	return type >= 12 ? (u32)(type - 12) / 2 : type >= 8 ? 0 : type > 4 ? 8 : (u32)type;
}

static noinline i32 compare(const u8 *a, u32 length_a, const u8 *b, u32 length_b)
{
	u32 length = length_a < length_b ? length_a : length_b;
	for (u32 i = 0; i < length; i++)
		if (a[i] != b[i])
			return a[i] - b[i];
	return (i32)(length_a - length_b);
}

/* The record's column: where it is, and its type. */
static noinline const u8 *column(const u8 *record, u32 wanted, u64 *type)
{
	u64 header;
	u32 at = varint(record, &header);
	const u8 *body = record + header;
	for (u32 i = 0; at < header; i++) {
		at += varint(record + at, type);
		if (i == wanted)
			return body;
		body += size_of(*type);
	}
	*type = 0;
	return body;
}

static noinline u32 make(u8 *record, u32 *state)
{
	u32 random = next_random(state), text = random & 7;
	u8 *at = record + 1;
	at += put(at, 1 + random % 4);
	at += put(at, 13 + 2 * (u64)text);
	at += put(at, random & 8 ? 8 : 4);
	at += put(at, (random & 63) == 0 ? 200 : 9);
	*record = (u8)(at - record);
	for (u32 i = 0; i < 1 + random % 4 + text + (random & 8 ? 0 : 4); i++)
		*at++ = (u8)(next_random(state) >> 8);
	return (u32)(at - record);
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *page = buffer;
	u16 *cells = (u16 *)(page + PAGE);
	u32 state = 17, used = 0;
	u64 sum = 0;
	for (u32 i = 0; i < RECORDS; i++) {
		cells[i] = (u16)used;
		used += make(page + used, &state);
	}
	for (u64 n = 0; n < iterations; n++) {
		const u8 *key = page + n % 256;
		for (u32 i = 0; i < RECORDS; i++) {
			u64 type;
			const u8 *at = column(page + cells[i], 1, &type);
			if (compare(at, size_of(type), key, 3) < 0)
				continue;
			at = column(page + cells[i], 0, &type);
			i64 number = integer(at, (u32)type);
			at = column(page + cells[i], 2, &type);
			sum += (u64)(number + integer(at, (u32)type));
		}
		sum = mix(sum, n);
	}
	return sum;
}
