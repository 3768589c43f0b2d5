/* Packed records of 14 bytes, which lie anywhere: numbers of 5 to 40 bits that share bytes, read byte by byte, and written back. */
#include "bench.h"

#define RECORDS 140
#define SIZE 14

static u64 low(const u8 *at, u32 bytes)
{
	u64 all = 0;
	for (u32 i = 0; i < bytes; i++)
		all |= (u64)at[i] << 8 * i;
	return all;
}

static void put(u8 *at, u64 all, u32 bytes)
{
	for (u32 i = 0; i < bytes; i++)
		at[i] = all >> 8 * i;
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *records = buffer;
	u64 sum = 0;

	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < RECORDS; i++) {
			u8 *at = records + i * SIZE;
			u64 head = low(at, 8), tail = low(at + 8, 6);
			u64 kind = head & 0x1f, level = head >> 5 & 0x7ff;
			u64 length = head >> 16 & 0xfffff, place = head >> 36;
			u64 id = tail >> 3 & 0xffffffff, rest = tail >> 35;
			u64 total = kind * 3 + level * 5 + length + place;
			u32 turn = (kind & 15) + 1;

			total ^= id << turn | id >> (64 - turn);
			sum += total << (level & 31) | total >> (64 - (level & 31)) % 64;
			if (rest & 1)
				sum ^= place * 9 + rest;
			put(at, (head & ~0xffe0ULL) | (level + rest & 0x7ff) << 5, 8);
			put(at + 8, tail ^ (id & 0xff) << 3 ^ kind, 6);
		}
	}
	return sum;
}
