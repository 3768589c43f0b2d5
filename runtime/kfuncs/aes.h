/* AES (FIPS 197), for 16-byte blocks: the S-boxes are computed, since a table would be as long as this. Not for secrets: its time
   depends on what is encrypted. */
#ifndef BPF2NATIVE_RUNTIME_AES_H
#define BPF2NATIVE_RUNTIME_AES_H

#include "runtime.h"

enum { AES_BLOCK = 16, AES_MOST_ROUNDS = 14 };

struct aes {
    u8 sbox[256], inverse[256];
    u8 round_keys[AES_MOST_ROUNDS + 1][AES_BLOCK];
    u32 rounds;
    u32 unused;
};

static inline u8 aes_double(u8 byte) { return byte << 1 ^ (byte & 0x80 ? 0x1b : 0); }

static inline u8 aes_product(u8 a, u8 b)
{
    u8 product = 0;
    for (; b; b >>= 1, a = aes_double(a))
        product ^= b & 1 ? a : 0;
    return product;
}

static inline u8 aes_rotated(u8 byte, u32 bits) { return byte << bits | byte >> (8 - bits); }

/* `power` and `inverse` go through all bytes but 0, as powers of 3 and of its inverse. */
static inline void aes_boxes(struct aes *aes)
{
    u8 power = 1, inverse = 1;
    do {
        power ^= aes_double(power);
        inverse = aes_product(inverse, 0xf6);
        u8 mixed = inverse ^ aes_rotated(inverse, 1) ^ aes_rotated(inverse, 2) ^ aes_rotated(inverse, 3) ^
                   aes_rotated(inverse, 4) ^ 0x63;
        aes->sbox[power] = mixed;
        aes->inverse[mixed] = power;
    } while (power != 1);
    aes->sbox[0] = 0x63;
    aes->inverse[0x63] = 0;
}

/* 0, or -EINVAL for a key that is not of 16, 24 or 32 bytes. */
static inline long aes_set_key(struct aes *aes, const u8 *key, u32 length)
{
    if (length != 16 && length != 24 && length != 32)
        return -EINVAL;
    aes_boxes(aes);
    aes->rounds = length / 4 + 6;
    u8 *words = aes->round_keys[0], constant = 1;
    u32 end = AES_BLOCK * (aes->rounds + 1);
    for (u32 i = 0; i < end; i += 4) {
        u8 word[4];
        for (u32 j = 0; j < 4; j++)
            word[j] = i < length ? key[i + j] : words[i - 4 + j];
        if (i >= length && i % length == 0) {
            u8 first = word[0];
            word[0] = aes->sbox[word[1]] ^ constant;
            word[1] = aes->sbox[word[2]];
            word[2] = aes->sbox[word[3]];
            word[3] = aes->sbox[first];
            constant = aes_double(constant);
        } else if (i >= length && length == 32 && i % length == 16) {
            for (u32 j = 0; j < 4; j++)
                word[j] = aes->sbox[word[j]];
        }
        for (u32 j = 0; j < 4; j++)
            words[i + j] = i < length ? word[j] : words[i - length + j] ^ word[j];
    }
    return 0;
}

static inline void aes_add_key(const struct aes *aes, u8 *block, u32 round)
{
    for (u32 i = 0; i < AES_BLOCK; i++)
        block[i] ^= aes->round_keys[round][i];
}

/* Substitutes each byte; row `r` goes `r` columns to the left, or back. */
static inline void aes_substitute(const u8 *box, u8 *block, u32 is_inverse)
{
    u8 from[AES_BLOCK];
    for (u32 i = 0; i < AES_BLOCK; i++)
        from[i] = block[i];
    for (u32 i = 0; i < AES_BLOCK; i++) {
        u32 shift = is_inverse ? 16 - 4 * (i % 4) : 4 * (i % 4);
        block[i] = box[from[(i + shift) % AES_BLOCK]];
    }
}

/* Multiplies each column by a polynomial, whose coefficients are these. */
static inline void aes_mix(u8 *block, u8 a, u8 b, u8 c, u8 d)
{
    for (u32 column = 0; column < AES_BLOCK; column += 4) {
        u8 from[4];
        for (u32 i = 0; i < 4; i++)
            from[i] = block[column + i];
        for (u32 i = 0; i < 4; i++)
            block[column + i] = aes_product(from[i], a) ^ aes_product(from[(i + 1) % 4], b) ^
                                aes_product(from[(i + 2) % 4], c) ^ aes_product(from[(i + 3) % 4], d);
    }
}

static inline void aes_encrypt(const struct aes *aes, u8 *block)
{
    aes_add_key(aes, block, 0);
    for (u32 round = 1; round <= aes->rounds; round++) {
        aes_substitute(aes->sbox, block, 0);
        if (round < aes->rounds)
            aes_mix(block, 2, 3, 1, 1);
        aes_add_key(aes, block, round);
    }
}

static inline void aes_decrypt(const struct aes *aes, u8 *block)
{
    for (u32 round = aes->rounds; round > 0; round--) {
        aes_add_key(aes, block, round);
        if (round < aes->rounds)
            aes_mix(block, 14, 11, 13, 9);
        aes_substitute(aes->inverse, block, 1);
    }
    aes_add_key(aes, block, 0);
}

#endif
