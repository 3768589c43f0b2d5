/* AES-128 encryption by four tables of 32-bit words, which are computed first; 64 chained blocks. */
#include "bench.h"

struct aes {
	u32 table[4][256];
	u8 sbox[256];
	u32 keys[44];
};

static u8 times2(u8 x)
{
	return (u8)(x << 1) ^ (x & 0x80 ? 0x1b : 0);
}

static void make_tables(struct aes *aes)
{
	u8 p = 1, q = 1;
	do {
		/* p goes through the field by 3, q by 1/3. */
		p ^= times2(p);
		q ^= q << 1;
		q ^= q << 2;
		q ^= q << 4;
		if (q & 0x80)
			q ^= 0x09;
		u8 x = q ^ (u8)(q << 1 | q >> 7) ^ (u8)(q << 2 | q >> 6) ^ (u8)(q << 3 | q >> 5) ^ (u8)(q << 4 | q >> 4);
		aes->sbox[p] = x ^ 0x63;
	} while (p != 1);
	aes->sbox[0] = 0x63;
	for (int i = 0; i < 256; i++) {
		u8 s = aes->sbox[i], s2 = times2(s);
		u32 word = (u32)s2 << 24 | s << 16 | s << 8 | (u8)(s2 ^ s);
		for (int t = 0; t < 4; t++)
			aes->table[t][i] = rol32(word, 32 - 8 * t);
	}
}

static u32 substituted(const struct aes *aes, u32 word)
{
	return (u32)aes->sbox[word >> 24] << 24 | aes->sbox[word >> 16 & 255] << 16 | aes->sbox[word >> 8 & 255] << 8 |
	       aes->sbox[word & 255];
}

static void expand_key(struct aes *aes, const u32 *key)
{
	u8 constant = 1;
	for (int i = 0; i < 4; i++)
		aes->keys[i] = key[i];
	for (int i = 4; i < 44; i++) {
		u32 word = aes->keys[i - 1];
		if (i % 4 == 0) {
			word = substituted(aes, rol32(word, 8)) ^ (u32)constant << 24;
			constant = times2(constant);
		}
		aes->keys[i] = aes->keys[i - 4] ^ word;
	}
}

static u32 column(const struct aes *aes, u32 a, u32 b, u32 c, u32 d)
{
	return aes->table[0][a >> 24] ^ aes->table[1][b >> 16 & 255] ^ aes->table[2][c >> 8 & 255] ^
	       aes->table[3][d & 255];
}

static u32 last_column(const struct aes *aes, u32 a, u32 b, u32 c, u32 d)
{
	return (u32)aes->sbox[a >> 24] << 24 | aes->sbox[b >> 16 & 255] << 16 | aes->sbox[c >> 8 & 255] << 8 |
	       aes->sbox[d & 255];
}

static void encrypt(const struct aes *aes, u32 *block)
{
	const u32 *key = aes->keys;
	u32 a = block[0] ^ key[0], b = block[1] ^ key[1], c = block[2] ^ key[2], d = block[3] ^ key[3];
	for (int round = 1; round < 10; round++) {
		key += 4;
		u32 na = column(aes, a, b, c, d) ^ key[0];
		u32 nb = column(aes, b, c, d, a) ^ key[1];
		u32 nc = column(aes, c, d, a, b) ^ key[2];
		u32 nd = column(aes, d, a, b, c) ^ key[3];
		a = na;
		b = nb;
		c = nc;
		d = nd;
	}
	block[0] = last_column(aes, a, b, c, d) ^ key[4];
	block[1] = last_column(aes, b, c, d, a) ^ key[5];
	block[2] = last_column(aes, c, d, a, b) ^ key[6];
	block[3] = last_column(aes, d, a, b, c) ^ key[7];
}

u64 bench(void *buffer, u64 iterations)
{
	u32 *data = buffer;
	struct aes *aes = (struct aes *)(data + 260);
	make_tables(aes);
	expand_key(aes, data + 256);
	u32 chain[4] = { 0, 0, 0, 0 };
	for (u64 n = 0; n < iterations; n++) {
		for (int i = 0; i < 64; i++) {
			for (int j = 0; j < 4; j++)
				chain[j] ^= data[4 * i + j];
			encrypt(aes, chain);
		}
	}
	return mix(mix(mix(mix(0, chain[0]), chain[1]), chain[2]), chain[3]);
}
