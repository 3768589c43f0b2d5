/* A skip list: insertions and removals at several levels, look-ups, ranges. */
#include "bench.h"

enum { LEVELS = 8, NODES = 200 };

struct node {
	u32 key, levels;
	u64 value;
	struct node *next[LEVELS];
};

struct list {
	struct node head;
	struct node *free;
	u32 level;
};

static noinline void before(struct list *list, u32 key, struct node **path)
{
	struct node *node = &list->head;
	for (u32 level = list->level; level-- > 0;) {
		while (node->next[level] && node->next[level]->key < key)
			node = node->next[level];
		path[level] = node;
	}
}

static noinline int insert(struct list *list, u32 key, u64 value, u32 random)
{
	struct node *path[LEVELS], *node = list->free;
	before(list, key, path);
	if (path[0]->next[0] && path[0]->next[0]->key == key) {
		path[0]->next[0]->value += value;
		return 0;
	}
	if (!node)
		return 0;
	list->free = node->next[0];
	u32 levels = 1;
	while (levels < LEVELS && (random & 3) == 0) {
		levels++;
		random >>= 2;
	}
	for (; list->level < levels; list->level++)
		path[list->level] = &list->head;
	node->key = key;
	node->value = value;
	node->levels = levels;
	for (u32 level = 0; level < levels; level++) {
		node->next[level] = path[level]->next[level];
		path[level]->next[level] = node;
	}
	return 1;
}

static noinline int remove(struct list *list, u32 key)
{
	struct node *path[LEVELS];
	before(list, key, path);
	struct node *node = path[0]->next[0];
	if (!node || node->key != key)
		return 0;
	for (u32 level = 0; level < node->levels; level++)
		path[level]->next[level] = node->next[level];
	while (list->level > 1 && !list->head.next[list->level - 1])
		list->level--;
	node->next[0] = list->free;
	list->free = node;
	return 1;
}

static noinline u64 range(struct list *list, u32 from, u32 to)
{
	struct node *path[LEVELS];
	u64 sum = 0;
	before(list, from, path);
	for (const struct node *node = path[0]->next[0]; node && node->key < to; node = node->next[0])
		sum += node->value;
	return sum;
}

u64 bench(void *buffer, u64 iterations)
{
	struct list *list = buffer;
	struct node *nodes = (struct node *)(list + 1);
	u32 state = 53;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		list->free = nodes;
		list->level = 1;
		for (u32 i = 0; i < LEVELS; i++)
			list->head.next[i] = 0;
		for (u32 i = 0; i < NODES; i++)
			nodes[i].next[0] = i + 1 < NODES ? &nodes[i + 1] : 0;
		for (u32 i = 0; i < 300; i++) {
			u32 random = next_random(&state), key = random >> 20 & 1023;
			if (i % 3 == 2)
				sum += (u64)remove(list, key);
			else
				sum += (u64)insert(list, key, i, random);
		}
		for (u32 from = 0; from < 1024; from += 32)
			sum = sum * 3 + range(list, from, from + 48);
		sum = mix(sum, n);
	}
	return sum;
}
