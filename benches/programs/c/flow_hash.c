/* Flow hashing as network stacks do: a lookup3-like mix of five-tuples and Toeplitz's hash, 64 tuples. */
#include "bench.h"

struct tuple {
	u32 source, destination, ports, protocol;
};

#define FINAL(a, b, c)                        \
	do {                                  \
		c = (c ^ b) - rol32(b, 14);   \
		a = (a ^ c) - rol32(c, 11);   \
		b = (b ^ a) - rol32(a, 25);   \
		c = (c ^ b) - rol32(b, 16);   \
		a = (a ^ c) - rol32(c, 4);    \
		b = (b ^ a) - rol32(a, 14);   \
		c = (c ^ b) - rol32(b, 24);   \
	} while (0)

static inline u32 mixed(const struct tuple *tuple, u32 seed)
{
	u32 a = tuple->source + seed, b = tuple->destination + seed, c = tuple->ports + seed;
	FINAL(a, b, c);
	a += tuple->protocol;
	FINAL(a, b, c);
	return c;
}

static inline u32 toeplitz(u32 word, u64 key)
{
	u32 result = 0;
	for (u32 bit = 0; bit < 32; bit++) {
		if (word & 0x80000000u)
			result ^= (u32)(key >> 32);
		word <<= 1;
		key <<= 1;
	}
	return result;
}

u64 bench(void *buffer, u64 iterations)
{
	const struct tuple *tuples = buffer;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < 64; i++) {
			u32 hash = mixed(&tuples[i], (u32)sum);
			hash ^= toeplitz(tuples[i].source, 0x6d5a56da255b0ec2ULL);
			hash ^= toeplitz(tuples[i].ports, 0x4167253d43a38fb0ULL);
			sum = (sum << 1 | sum >> 63) + hash;
		}
	}
	return sum;
}
