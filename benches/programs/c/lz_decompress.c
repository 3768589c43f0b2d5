/* LZ decompression of 8 KiB of text. */
#include "lz.h"

u64 bench(void *buffer, u64 iterations)
{
	struct lz *lz = buffer;
	make_text(lz->input);
	compress(lz);
	u32 length = 0;
	for (u64 n = 0; n < iterations; n++)
		length += decompress(lz->packed, lz->output);
	return checksum(lz->output, INPUT) + length;
}
