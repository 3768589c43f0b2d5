/* An allocator in an arena: free lists by sizes, splitting, joining of neighbours by their tags. */
#include "bench.h"

enum { ARENA = 16384, LISTS = 8, LIVE = 64 };

/* Sizes count bytes with the header; the lowest bit says that the block is used. */
struct block {
	u32 size, before;
	struct block *next, *previous;
};

struct heap {
	struct block lists[LISTS];
	struct block *first;
	u8 *end;
};

static u32 list_of(u32 size)
{
	u32 list = 0;
	for (size >>= 6; size && list < LISTS - 1; size >>= 1)
		list++;
	return list;
}

static void unlink(struct block *block)
{
	block->next->previous = block->previous;
	block->previous->next = block->next;
}

static void link(struct heap *heap, struct block *block)
{
	struct block *head = &heap->lists[list_of(block->size)];
	block->next = head->next;
	block->previous = head;
	head->next->previous = block;
	head->next = block;
}

static struct block *after(struct block *block)
{
	return (struct block *)((u8 *)block + (block->size & ~1u));
}

static noinline void *allocate(struct heap *heap, u32 bytes)
{
	u32 size = (bytes + 8 + 15) & ~15u;
	if (size < sizeof(struct block))
		size = (sizeof(struct block) + 15) & ~15u;
	for (u32 list = list_of(size); list < LISTS; list++) {
		struct block *head = &heap->lists[list];
		for (struct block *block = head->next; block != head; block = block->next) {
			if (block->size < size)
				continue;
			unlink(block);
			if (block->size - size >= 32) {
				struct block *rest = (struct block *)((u8 *)block + size);
				rest->size = block->size - size;
				rest->before = size;
				block->size = size;
				if ((u8 *)after(rest) < heap->end)
					after(rest)->before = rest->size;
				link(heap, rest);
			}
			block->size |= 1;
			return (u8 *)block + 8;
		}
	}
	return 0;
}

static noinline void release(struct heap *heap, void *memory)
{
	struct block *block = (struct block *)((u8 *)memory - 8);
	block->size &= ~1u;
	struct block *next = after(block);
	if ((u8 *)next < heap->end && !(next->size & 1)) {
		unlink(next);
		block->size += next->size;
	}
	if (block->before) {
		struct block *previous = (struct block *)((u8 *)block - block->before);
		if (!(previous->size & 1)) {
			unlink(previous);
			previous->size += block->size;
			block = previous;
		}
	}
	next = after(block);
	if ((u8 *)next < heap->end)
		next->before = block->size;
	link(heap, block);
}

static noinline void start(struct heap *heap)
{
	for (u32 i = 0; i < LISTS; i++)
		heap->lists[i].next = heap->lists[i].previous = &heap->lists[i];
	heap->first = (struct block *)(heap + 1);
	heap->end = (u8 *)heap->first + ARENA;
	heap->first->size = ARENA;
	heap->first->before = 0;
	link(heap, heap->first);
}

u64 bench(void *buffer, u64 iterations)
{
	void **live = buffer;
	struct heap *heap = (struct heap *)(live + LIVE);
	u32 state = 31;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		start(heap);
		for (u32 i = 0; i < LIVE; i++)
			live[i] = 0;
		for (u32 i = 0; i < 256; i++) {
			u32 random = next_random(&state), at = random % LIVE;
			if (live[at])
				release(heap, live[at]);
			live[at] = allocate(heap, random >> 20 & 0x1ff);
			sum = sum * 3 + (live[at] ? (u64)((u8 *)live[at] - (u8 *)heap) : 1);
		}
		sum = mix(sum, n);
	}
	return sum;
}
