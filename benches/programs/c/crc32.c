/* CRC-32 (the one of zlib) of 4 KiB, by a table. */
#include "bench.h"

u64 bench(void *buffer, u64 iterations)
{
	u32 *table = buffer;
	const u8 *data = (const u8 *)(table + 256);
	for (u32 i = 0; i < 256; i++) {
		u32 c = i;
		for (int bit = 0; bit < 8; bit++)
			c = c & 1 ? c >> 1 ^ 0xedb88320 : c >> 1;
		table[i] = c;
	}
	u32 crc = 0xffffffff;
	for (u64 n = 0; n < iterations; n++)
		for (u32 i = 0; i < 4096; i++)
			crc = table[(crc ^ data[i]) & 255] ^ crc >> 8;
	return ~crc;
}
