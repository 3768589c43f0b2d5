/* SipHash-2-4 of 64 messages of 32 bytes. */
#include "bench.h"

#define ROUND                              \
	do {                               \
		v0 += v1;                  \
		v1 = rol64(v1, 13) ^ v0;   \
		v0 = rol64(v0, 32);        \
		v2 += v3;                  \
		v3 = rol64(v3, 16) ^ v2;   \
		v0 += v3;                  \
		v3 = rol64(v3, 21) ^ v0;   \
		v2 += v1;                  \
		v1 = rol64(v1, 17) ^ v2;   \
		v2 = rol64(v2, 32);        \
	} while (0)

static inline u64 siphash(u64 k0, u64 k1, const u64 *data, u32 words)
{
	u64 v0 = k0 ^ 0x736f6d6570736575ULL, v1 = k1 ^ 0x646f72616e646f6dULL;
	u64 v2 = k0 ^ 0x6c7967656e657261ULL, v3 = k1 ^ 0x7465646279746573ULL;
	for (u32 i = 0; i < words; i++) {
		v3 ^= data[i];
		ROUND;
		ROUND;
		v0 ^= data[i];
	}
	u64 last = (u64)words << 59;
	v3 ^= last;
	ROUND;
	ROUND;
	v0 ^= last;
	v2 ^= 0xff;
	ROUND;
	ROUND;
	ROUND;
	ROUND;
	return v0 ^ v1 ^ v2 ^ v3;
}

u64 bench(void *buffer, u64 iterations)
{
	const u64 *data = buffer;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++)
		for (u32 i = 0; i < 64; i++)
			sum += siphash(sum, n, data + 4 * i, 4);
	return sum;
}
