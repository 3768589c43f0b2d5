/* SHA-256 (FIPS 180-4) of one kilobyte. */
#include "bench.h"

static const u32 constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static u32 rotated(u32 x, int a, int b, int c)
{
	return rol32(x, 32 - a) ^ rol32(x, 32 - b) ^ rol32(x, 32 - c);
}

static void compress(u32 *state, const u8 *block)
{
	u32 words[64];
	for (int i = 0; i < 16; i++)
		words[i] = (u32)block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 | block[4 * i + 3];
	for (int i = 16; i < 64; i++) {
		u32 w15 = words[i - 15], w2 = words[i - 2];
		u32 s0 = rol32(w15, 25) ^ rol32(w15, 14) ^ w15 >> 3;
		u32 s1 = rol32(w2, 15) ^ rol32(w2, 13) ^ w2 >> 10;
		words[i] = words[i - 16] + s0 + words[i - 7] + s1;
	}
	u32 a = state[0], b = state[1], c = state[2], d = state[3];
	u32 e = state[4], f = state[5], g = state[6], h = state[7];
	for (int i = 0; i < 64; i++) {
		u32 t1 = h + rotated(e, 6, 11, 25) + ((e & f) ^ (~e & g)) + constants[i] + words[i];
		u32 t2 = rotated(a, 2, 13, 22) + ((a & b) ^ (a & c) ^ (b & c));
		h = g;
		g = f;
		f = e;
		e = d + t1;
		d = c;
		c = b;
		b = a;
		a = t1 + t2;
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
	state[5] += f;
	state[6] += g;
	state[7] += h;
}

u64 bench(void *buffer, u64 iterations)
{
	u32 state[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
	for (u64 n = 0; n < iterations; n++)
		for (int block = 0; block < 16; block++)
			compress(state, (u8 *)buffer + 64 * block);
	u64 sum = 0;
	for (int i = 0; i < 8; i++)
		sum = mix(sum, state[i]);
	return sum;
}
