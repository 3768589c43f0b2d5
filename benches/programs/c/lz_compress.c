/* LZ compression of 8 KiB of text. */
#include "lz.h"

u64 bench(void *buffer, u64 iterations)
{
	struct lz *lz = buffer;
	u32 length = 0;
	make_text(lz->input);
	for (u64 n = 0; n < iterations; n++)
		length += compress(lz);
	return checksum(lz->packed, compress(lz)) + length;
}
