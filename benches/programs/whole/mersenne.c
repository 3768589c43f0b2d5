/* The Mersenne Twister, shuffles, and a reservoir sample. */
#include "bench.h"

enum { WORDS = 624, MIDDLE = 397, CARDS = 256 };

struct twister {
	u32 words[WORDS], at;
};

static noinline void start(struct twister *twister, u32 seed)
{
	for (u32 i = 0; i < WORDS; i++) {
		twister->words[i] = seed;
		seed = 1812433253u * (seed ^ seed >> 30) + i + 1;
	}
	twister->at = WORDS;
}

static noinline void refill(struct twister *twister)
{
	u32 *words = twister->words;
	for (u32 i = 0; i < WORDS; i++) {
		u32 y = (words[i] & 0x80000000u) | (words[i + 1 == WORDS ? 0 : i + 1] & 0x7fffffff);
		u32 other = i + MIDDLE < WORDS ? i + MIDDLE : i + MIDDLE - WORDS;
		words[i] = words[other] ^ y >> 1 ^ (y & 1 ? 0x9908b0df : 0);
	}
	twister->at = 0;
}

static u32 next(struct twister *twister)
{
	if (twister->at >= WORDS)
		refill(twister);
	u32 y = twister->words[twister->at++];
	y ^= y >> 11;
	y ^= y << 7 & 0x9d2c5680;
	y ^= y << 15 & 0xefc60000;
	return y ^ y >> 18;
}

/* A number below the limit, without bias. */
static u32 below(struct twister *twister, u32 limit)
{
	u64 product = (u64)next(twister) * limit;
	if ((u32)product < limit) {
		u32 least = -limit % limit;
		while ((u32)product < least)
			product = (u64)next(twister) * limit;
	}
	return (u32)(product >> 32);
}

u64 bench(void *buffer, u64 iterations)
{
	struct twister *twister = buffer;
	u16 *cards = (u16 *)(twister + 1), sample[16];
	u64 sum = 0;
	start(twister, 5489);
	for (u32 i = 0; i < CARDS; i++)
		cards[i] = (u16)i;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = CARDS; i > 1; i--) {
			u32 other = below(twister, i);
			u16 card = cards[i - 1];
			cards[i - 1] = cards[other];
			cards[other] = card;
		}
		for (u32 i = 0; i < CARDS; i++) {
			u32 place = i < 16 ? i : below(twister, i + 1);
			if (place < 16)
				sample[place] = cards[i];
		}
		for (u32 i = 0; i < 16; i++)
			sum = sum * 3 + sample[i];
		sum = mix(sum, cards[n % CARDS]);
	}
	return sum;
}
