/* Radix sort of 1,024 numbers, a byte at a time. */
#include "sort.h"

u64 bench(void *buffer, u64 iterations)
{
	u32 *from = buffer, *to = from + COUNT, *counts = to + COUNT;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		make_numbers(from, (u32)n);
		for (u32 shift = 0; shift < 32; shift += 8) {
			for (u32 i = 0; i < 256; i++)
				counts[i] = 0;
			for (u32 i = 0; i < COUNT; i++)
				counts[from[i] >> shift & 255]++;
			u32 start = 0;
			for (u32 i = 0; i < 256; i++) {
				u32 count = counts[i];
				counts[i] = start;
				start += count;
			}
			for (u32 i = 0; i < COUNT; i++)
				to[counts[from[i] >> shift & 255]++] = from[i];
			u32 *swapped = from;
			from = to;
			to = swapped;
		}
		sum = mix(sum, check(from));
	}
	return sum;
}
