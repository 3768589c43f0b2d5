/* ChaCha20 (RFC 8439): one kilobyte encrypted in place. */
#include "bench.h"

#define QUARTER(a, b, c, d)               \
	do {                              \
		a += b;                   \
		d = rol32(d ^ a, 16);     \
		c += d;                   \
		b = rol32(b ^ c, 12);     \
		a += b;                   \
		d = rol32(d ^ a, 8);      \
		c += d;                   \
		b = rol32(b ^ c, 7);      \
	} while (0)

static void block(const u32 *key, u32 *data)
{
	u32 x[16];
	for (int i = 0; i < 16; i++)
		x[i] = key[i];
	for (int round = 0; round < 10; round++) {
		QUARTER(x[0], x[4], x[8], x[12]);
		QUARTER(x[1], x[5], x[9], x[13]);
		QUARTER(x[2], x[6], x[10], x[14]);
		QUARTER(x[3], x[7], x[11], x[15]);
		QUARTER(x[0], x[5], x[10], x[15]);
		QUARTER(x[1], x[6], x[11], x[12]);
		QUARTER(x[2], x[7], x[8], x[13]);
		QUARTER(x[3], x[4], x[9], x[14]);
	}
	for (int i = 0; i < 16; i++)
		data[i] ^= x[i] + key[i];
}

u64 bench(void *buffer, u64 iterations)
{
	u32 *key = buffer, *data = key + 16;
	key[0] = 0x61707865;
	key[1] = 0x3320646e;
	key[2] = 0x79622d32;
	key[3] = 0x6b206574;
	for (u64 n = 0; n < iterations; n++) {
		for (int i = 0; i < 16; i++) {
			key[12]++;
			block(key, data + 16 * i);
		}
	}
	u64 sum = 0;
	for (int i = 0; i < 256; i++)
		sum = mix(sum, data[i]);
	return sum;
}
