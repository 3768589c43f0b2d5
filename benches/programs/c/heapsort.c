/* Heapsort of 1,024 numbers. */
#include "sort.h"

static void sift(u32 *heap, u32 start, u32 end)
{
	u32 root = start, value = heap[root];
	for (;;) {
		u32 child = 2 * root + 1;
		if (child >= end)
			break;
		if (child + 1 < end && heap[child] < heap[child + 1])
			child++;
		if (value >= heap[child])
			break;
		heap[root] = heap[child];
		root = child;
	}
	heap[root] = value;
}

u64 bench(void *buffer, u64 iterations)
{
	u32 *heap = buffer;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		make_numbers(heap, (u32)n);
		for (u32 i = COUNT / 2; i > 0; i--)
			sift(heap, i - 1, COUNT);
		for (u32 end = COUNT - 1; end > 0; end--) {
			u32 top = heap[0];
			heap[0] = heap[end];
			heap[end] = top;
			sift(heap, 0, end);
		}
		sum = mix(sum, check(heap));
	}
	return sum;
}
