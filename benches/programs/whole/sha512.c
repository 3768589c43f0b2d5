/* The compression function of SHA-512 (FIPS 180-4) over one kilobyte, with other constants than the standard has. */
#include "bench.h"

static u64 ror(u64 x, u32 n)
{
	return x >> n | x << (64 - n);
}

static noinline void compress(u64 *state, const u8 *block, const u64 *constants)
{
	u64 w[16], a = state[0], b = state[1], c = state[2], d = state[3];
	u64 e = state[4], f = state[5], g = state[6], h = state[7];
	for (u32 i = 0; i < 16; i++) {
		w[i] = 0;
		for (u32 k = 0; k < 8; k++)
			w[i] = w[i] << 8 | block[8 * i + k];
	}
	for (u32 i = 0; i < 80; i++) {
		if (i >= 16) {
			u64 x = w[(i + 1) & 15], y = w[(i + 14) & 15];
			w[i & 15] += (ror(x, 1) ^ ror(x, 8) ^ x >> 7) + w[(i + 9) & 15] + (ror(y, 19) ^ ror(y, 61) ^ y >> 6);
		}
		u64 t1 = h + (ror(e, 14) ^ ror(e, 18) ^ ror(e, 41)) + ((e & f) ^ (~e & g)) + constants[i] + w[i & 15];
		u64 t2 = (ror(a, 28) ^ ror(a, 34) ^ ror(a, 39)) + ((a & b) ^ (a & c) ^ (b & c));
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
	u8 *message = buffer;
	u64 *state = (u64 *)(message + 1024), *constants = state + 8;
	for (u32 i = 0; i < 8; i++)
		state[i] = 0x6a09e667f3bcc908ull * (2 * i + 1);
	/* Any odd-looking numbers do for a measurement. */
	for (u32 i = 0; i < 80; i++)
		constants[i] = mix(i, 0x428a2f98d728ae22ull);
	for (u64 n = 0; n < iterations; n++)
		for (u32 block = 0; block < 1024; block += 128)
			compress(state, message + block, constants);
	return state[0] ^ state[5];
}
