/* Matches for LZ77 by chains of earlier places with the same hash, with a lazy choice of the longer one. */
#include "bench.h"

enum { BYTES = 2048, HASHES = 512, DEPTH = 24, LEAST = 4 };

struct finder {
	u16 heads[HASHES], previous[BYTES];
};

static u32 word(const u8 *bytes)
{
	return (u32)bytes[0] | (u32)bytes[1] << 8 | (u32)bytes[2] << 16 | (u32)bytes[3] << 24;
}

static u32 hash_of(const u8 *bytes)
{
	return word(bytes) * 2654435761u >> 23;
}

/* How many bytes are the same: eight at once, and then by the lowest difference. */
static u32 common(const u8 *a, const u8 *b, const u8 *end)
{
	const u8 *start = a;
	while (a + 8 <= end) {
		u64 difference = *(const u64 *)a ^ *(const u64 *)b;
		if (difference)
			return (u32)(a - start) + ((u32)__builtin_ctzll(difference) >> 3);
		a += 8;
		b += 8;
	}
	while (a < end && *a == *b)
		a++, b++;
	return (u32)(a - start);
}

static noinline u32 longest(struct finder *finder, const u8 *text, u32 at, u32 *from)
{
	u32 best = LEAST - 1;
	u32 candidate = finder->heads[hash_of(text + at)];
	for (u32 depth = DEPTH; candidate && depth > 0; depth--) {
		u32 place = candidate - 1;
		if (text[place + best] == text[at + best] && word(text + place) == word(text + at)) {
			u32 length = common(text + at, text + place, text + BYTES);
			if (length > best) {
				best = length;
				*from = place;
				if (at + length >= BYTES)
					break;
			}
		}
		candidate = finder->previous[place];
	}
	return best >= LEAST ? best : 0;
}

static void add(struct finder *finder, const u8 *text, u32 at)
{
	u32 hash = hash_of(text + at);
	finder->previous[at] = finder->heads[hash];
	finder->heads[hash] = (u16)(at + 1);
}

static noinline u64 compress(struct finder *finder, const u8 *text)
{
	u64 sum = 0;
	for (u32 i = 0; i < HASHES; i++)
		finder->heads[i] = 0;
	for (u32 at = 0; at + 2 * LEAST < BYTES;) {
		u32 from = 0, other = 0, length = longest(finder, text, at, &from);
		add(finder, text, at);
		if (!length) {
			at++;
			continue;
		}
		u32 later = longest(finder, text, at + 1, &other);
		if (later > length + 1) {
			at++;
			add(finder, text, at);
			length = later;
			from = other;
		}
		sum = mix(sum, (u64)length << 32 | (at - from));
		for (u32 i = 1; i < length && at + i + 2 * LEAST < BYTES; i++)
			add(finder, text, at + i);
		at += length;
	}
	return sum;
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *text = buffer;
	struct finder *finder = (struct finder *)(text + BYTES + 8);
	u32 state = 3;
	u64 sum = 0;
	/* Copies of earlier bytes of some length, and new ones. */
	for (u32 at = 0; at < BYTES;) {
		u32 random = next_random(&state), from = random % (at + 1), length = random >> 12 & 15;
		text[at++] = random >> 20 & 7;
		for (u32 i = 0; at > 8 && i < length && at < BYTES; i++)
			text[at++] = text[from + i];
	}
	for (u64 n = 0; n < iterations; n++) {
		text[n * 7 % BYTES] ^= 1;
		sum ^= compress(finder, text);
	}
	return sum;
}
