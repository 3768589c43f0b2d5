/* Finite-state entropy coding (tANS): tables from counts, encoding backwards, decoding forwards, a stream of bits. */
#include "bench.h"

enum { LOG = 8, STATES = 1 << LOG, SYMBOLS = 16, BYTES = 768 };

struct entry {
	u16 base;
	u8 symbol, bits;
};

struct tables {
	u16 counts[SYMBOLS], next[SYMBOLS], starts[SYMBOLS], encode[STATES];
	struct entry decode[STATES];
};

static u32 log2_of(u32 x)
{
	u32 log = 0;
	while (x >>= 1)
		log++;
	return log;
}

/* Counts that add up to the number of states. */
static noinline void normalise(struct tables *tables, const u8 *text)
{
	u32 seen[SYMBOLS] = { 0 }, left = STATES, most = 0;
	for (u32 i = 0; i < BYTES; i++)
		seen[text[i] & 15]++;
	for (u32 i = 0; i < SYMBOLS; i++) {
		u32 count = seen[i] * (STATES - SYMBOLS) / BYTES + 1;
		tables->counts[i] = (u16)count;
		left -= count;
		if (seen[i] > seen[most])
			most = i;
	}
	tables->counts[most] += (u16)left;
}

static noinline void build(struct tables *tables)
{
	u32 at = 0, start = 0;
	for (u32 symbol = 0; symbol < SYMBOLS; symbol++) {
		tables->starts[symbol] = (u16)start;
		tables->next[symbol] = tables->counts[symbol];
		start += tables->counts[symbol];
		for (u32 i = 0; i < tables->counts[symbol]; i++) {
			tables->decode[at].symbol = (u8)symbol;
			at = (at + (STATES >> 1) + (STATES >> 3) + 3) & (STATES - 1);
		}
	}
	for (u32 i = 0; i < STATES; i++) {
		struct entry *entry = &tables->decode[i];
		u32 next = tables->next[entry->symbol]++;
		entry->bits = (u8)(LOG - log2_of(next));
		entry->base = (u16)((next << entry->bits) - STATES);
		tables->encode[tables->starts[entry->symbol] + next - tables->counts[entry->symbol]] = (u16)(i + STATES);
	}
}

/* Writes the bits of each step, and how many, last step first. */
static noinline u32 encode(const struct tables *tables, const u8 *text, u16 *steps)
{
	u32 state = STATES;
	for (u32 i = BYTES; i-- > 0;) {
		u32 symbol = text[i] & 15, count = tables->counts[symbol], bits = 0;
		while (state >> bits >= 2 * count)
			bits++;
		steps[i] = (u16)((state & ((1u << bits) - 1)) << 4 | bits);
		state = tables->encode[tables->starts[symbol] + (state >> bits) - count];
	}
	return state;
}

static noinline u32 pack(const u16 *steps, u8 *packed)
{
	u64 pending = 0;
	u32 held = 0, bytes = 0;
	for (u32 i = 0; i < BYTES; i++) {
		pending |= (u64)(steps[i] >> 4) << held;
		held += steps[i] & 15;
		for (; held >= 8; held -= 8, pending >>= 8)
			packed[bytes++] = (u8)pending;
	}
	packed[bytes] = (u8)pending;
	return bytes + 1;
}

static noinline u64 decode(const struct tables *tables, u32 state, const u8 *packed)
{
	u64 pending = 0, sum = 0;
	u32 held = 0;
	state -= STATES;
	for (u32 i = 0; i < BYTES; i++) {
		for (; held <= 56; held += 8)
			pending |= (u64)*packed++ << held;
		const struct entry *entry = &tables->decode[state];
		sum = sum * 31 + entry->symbol;
		state = entry->base + (u32)(pending & ((1u << entry->bits) - 1));
		pending >>= entry->bits;
		held -= entry->bits;
	}
	return sum;
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *text = buffer, *packed = text + BYTES;
	u16 *steps = (u16 *)(packed + BYTES + 16);
	struct tables *tables = (struct tables *)(steps + BYTES);
	u64 sum = 0;
	for (u32 i = 0; i < BYTES; i++)
		text[i] &= text[(i + 7) % BYTES] & 15;
	for (u64 n = 0; n < iterations; n++) {
		text[n % BYTES] = n & 15;
		normalise(tables, text);
		build(tables);
		u32 state = encode(tables, text, steps);
		sum = mix(sum, pack(steps, packed));
		sum = mix(sum, decode(tables, state, packed));
	}
	return sum;
}
