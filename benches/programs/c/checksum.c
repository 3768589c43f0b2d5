/* The Internet's checksum (RFC 1071) of a packet of 1,500 bytes, whole and after a change of a field (RFC 1624). */
#include "bench.h"

enum { LENGTH = 1500 };

static inline u16 fold(u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (u16)~sum;
}

u64 bench(void *buffer, u64 iterations)
{
	u16 *words = buffer;
	u64 total = 0;
	for (u64 n = 0; n < iterations; n++) {
		u64 sum = 0;
		for (u32 i = 0; i < LENGTH / 2; i++)
			sum += words[i];
		u16 whole = fold(sum);
		u16 old = words[4], new = (u16)(old - 0x100);
		words[4] = new;
		total += whole + (u64)fold((u16)~whole + (u16)~old + new);
	}
	return total;
}
