/* A linked list of 512 nodes: shuffled, walked, reversed, sorted by merging. */
#include "bench.h"

enum { NODES = 512 };

struct node {
	struct node *next;
	u64 key;
};

static struct node *merge(struct node *a, struct node *b)
{
	struct node *head = 0, **tail = &head;
	while (a && b) {
		struct node **least = a->key <= b->key ? &a : &b;
		*tail = *least;
		tail = &(*least)->next;
		*least = (*least)->next;
	}
	*tail = a ? a : b;
	return head;
}

static noinline struct node *sort(struct node *list)
{
	if (!list || !list->next)
		return list;
	struct node *slow = list, *fast = list->next;
	while (fast && fast->next) {
		slow = slow->next;
		fast = fast->next->next;
	}
	struct node *half = slow->next;
	slow->next = 0;
	return merge(sort(list), sort(half));
}

u64 bench(void *buffer, u64 iterations)
{
	struct node *nodes = buffer;
	u64 sum = 0;
	u32 state = 17;
	for (u64 n = 0; n < iterations; n++) {
		struct node *list = 0;
		for (u32 i = 0; i < NODES; i++) {
			/* 5 is prime to the number of nodes. */
			struct node *node = &nodes[(i * 5 + n) % NODES];
			node->key = next_random(&state);
			node->next = list;
			list = node;
		}
		list = sort(list);
		struct node *reversed = 0;
		for (u64 at = 0; list; at++) {
			struct node *next = list->next;
			sum += list->key * at;
			list->next = reversed;
			reversed = list;
			list = next;
		}
		for (; reversed; reversed = reversed->next)
			sum = sum * 3 + reversed->key;
	}
	return sum;
}
