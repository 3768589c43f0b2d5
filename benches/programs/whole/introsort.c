/* Introsort of records by two keys through a comparator: quicksort, heapsort when too deep, insertion for few. */
#include "bench.h"

enum { RECORDS = 256 };

struct record {
	u32 key, second;
	u64 payload;
};

typedef i32 compare_fn(const struct record *a, const struct record *b);

static noinline i32 by_keys(const struct record *a, const struct record *b)
{
	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return a->second < b->second ? -1 : a->second > b->second;
}

static noinline i32 by_payload(const struct record *a, const struct record *b)
{
	return a->payload < b->payload ? -1 : a->payload > b->payload;
}

static void swap(struct record *a, struct record *b)
{
	struct record old = *a;
	*a = *b;
	*b = old;
}

static noinline void insertion(struct record *records, u32 count, compare_fn *compare)
{
	for (u32 i = 1; i < count; i++) {
		struct record record = records[i];
		u32 at = i;
		for (; at > 0 && compare(&record, &records[at - 1]) < 0; at--)
			records[at] = records[at - 1];
		records[at] = record;
	}
}

static noinline void sink(struct record *records, u32 at, u32 count, compare_fn *compare)
{
	for (u32 child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && compare(&records[child], &records[child + 1]) < 0)
			child++;
		if (compare(&records[at], &records[child]) >= 0)
			return;
		swap(&records[at], &records[child]);
	}
}

static noinline void heap(struct record *records, u32 count, compare_fn *compare)
{
	for (u32 i = count / 2; i-- > 0;)
		sink(records, i, count, compare);
	for (u32 left = count; left-- > 1;) {
		swap(&records[0], &records[left]);
		sink(records, 0, left, compare);
	}
}

static noinline void sort(struct record *records, u32 count, u32 depth, compare_fn *compare)
{
	while (count > 12) {
		if (depth-- == 0) {
			heap(records, count, compare);
			return;
		}
		struct record *middle = &records[count / 2], *last = &records[count - 1];
		if (compare(middle, records) < 0)
			swap(middle, records);
		if (compare(last, middle) < 0) {
			swap(last, middle);
			if (compare(middle, records) < 0)
				swap(middle, records);
		}
		struct record pivot = *middle;
		u32 low = 0, high = count - 1;
		for (;;) {
			while (compare(&records[++low], &pivot) < 0)
				;
			while (compare(&pivot, &records[--high]) < 0)
				;
			if (low >= high)
				break;
			swap(&records[low], &records[high]);
		}
		sort(records + low, count - low, depth, compare);
		count = low;
	}
	insertion(records, count, compare);
}

u64 bench(void *buffer, u64 iterations)
{
	struct record *records = buffer;
	compare_fn *const orders[] = { by_keys, by_payload };
	u32 state = 21;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < RECORDS; i++) {
			records[i].key = next_random(&state) & 63;
			records[i].second = state >> 8;
			records[i].payload = (u64)state * (i + 1);
		}
		for (u32 i = 0; i < 2; i++) {
			sort(records, RECORDS, n & 1 ? 16 : 4, orders[i]);
			for (u32 k = 0; k < RECORDS; k += 7)
				sum = sum * 3 + records[k].second;
		}
		sum = mix(sum, n);
	}
	return sum;
}
