/* A hash of four lanes of multiplications and rotations, after xxHash64; 4 KiB. */
#include "bench.h"

#define P1 0x9e3779b185ebca87ULL
#define P2 0xc2b2ae3d27d4eb4fULL
#define P3 0x165667b19e3779f9ULL

static u64 lane(u64 acc, u64 word)
{
	return rol64(acc + word * P2, 31) * P1;
}

static u64 hash(const u64 *data, u64 words, u64 seed)
{
	u64 a = seed + P1 + P2, b = seed + P2, c = seed, d = seed - P1;
	for (u64 i = 0; i + 4 <= words; i += 4) {
		a = lane(a, data[i]);
		b = lane(b, data[i + 1]);
		c = lane(c, data[i + 2]);
		d = lane(d, data[i + 3]);
	}
	u64 h = rol64(a, 1) + rol64(b, 7) + rol64(c, 12) + rol64(d, 18);
	h = (h ^ lane(0, a)) * P1 + P3;
	h = (h ^ lane(0, b)) * P1 + P3;
	h += words * 8;
	h ^= h >> 33;
	h *= P2;
	h ^= h >> 29;
	h *= P3;
	return h ^ h >> 32;
}

u64 bench(void *buffer, u64 iterations)
{
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++)
		sum = hash(buffer, 512, sum);
	return sum;
}
