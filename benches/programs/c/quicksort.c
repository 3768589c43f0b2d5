/* Quicksort of 1,024 numbers: recursive, the middle as pivot, insertion for short runs. */
#include "sort.h"

static noinline void sort(u32 *low, u32 *high)
{
	while (high - low > 12) {
		u32 pivot = low[(high - low) / 2];
		u32 *i = low, *j = high;
		for (;;) {
			while (*i < pivot)
				i++;
			while (*j > pivot)
				j--;
			if (i > j)
				break;
			u32 swapped = *i;
			*i++ = *j;
			*j-- = swapped;
			if (i > j)
				break;
		}
		if (j - low < high - i) {
			sort(low, j);
			low = i;
		} else {
			sort(i, high);
			high = j;
		}
	}
	for (u32 *i = low + 1; i <= high; i++) {
		u32 moved = *i, *j = i;
		for (; j > low && j[-1] > moved; j--)
			*j = j[-1];
		*j = moved;
	}
}

u64 bench(void *buffer, u64 iterations)
{
	u32 *numbers = buffer;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		make_numbers(numbers, (u32)n);
		sort(numbers, numbers + COUNT - 1);
		sum = mix(sum, check(numbers));
	}
	return sum;
}
