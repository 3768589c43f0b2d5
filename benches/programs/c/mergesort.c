/* Merge sort of 1,024 numbers, bottom up. */
#include "sort.h"

u64 bench(void *buffer, u64 iterations)
{
	u32 *from = buffer, *to = from + COUNT;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		make_numbers(from, (u32)n);
		for (u32 width = 1; width < COUNT; width *= 2) {
			for (u32 start = 0; start < COUNT; start += 2 * width) {
				u32 left = start, middle = start + width, right = middle, end = middle + width;
				for (u32 k = start; k < end; k++) {
					if (left < middle && (right >= end || from[left] <= from[right]))
						to[k] = from[left++];
					else
						to[k] = from[right++];
				}
			}
			u32 *swapped = from;
			from = to;
			to = swapped;
		}
		sum = mix(sum, check(from));
	}
	return sum;
}
