/* Many words at once in a text (Aho-Corasick): a trie, links of failure by breadth-first search, one pass. */
#include "bench.h"

enum { LETTERS = 4, NODES = 128, WORDS = 24, TEXT = 1024 };

struct node {
	u8 next[LETTERS];
	u8 fail, ends;
	u16 count;
};

static noinline u32 build(struct node *nodes, const u8 *words, u8 *queue)
{
	u32 used = 1, first = 0, last = 0;
	for (u32 i = 0; i < NODES; i++) {
		nodes[i].fail = nodes[i].ends = 0;
		nodes[i].count = 0;
		for (u32 k = 0; k < LETTERS; k++)
			nodes[i].next[k] = 0;
	}
	for (u32 w = 0; w < WORDS; w++) {
		u32 node = 0, length = 2 + (words[w * 8 + 7] & 3);
		for (u32 i = 0; i < length && used < NODES; i++) {
			u8 *next = &nodes[node].next[words[w * 8 + i] & 3];
			if (!*next)
				*next = (u8)used++;
			node = *next;
		}
		nodes[node].ends = (u8)length;
	}
	for (u32 k = 0; k < LETTERS; k++)
		if (nodes[0].next[k])
			queue[last++] = nodes[0].next[k];
	while (first < last) {
		u32 node = queue[first++];
		for (u32 k = 0; k < LETTERS; k++) {
			u32 child = nodes[node].next[k], other = nodes[nodes[node].fail].next[k];
			if (child) {
				nodes[child].fail = (u8)other;
				queue[last++] = (u8)child;
			} else {
				nodes[node].next[k] = (u8)other;
			}
		}
	}
	return used;
}

static noinline u64 search(struct node *nodes, const u8 *text)
{
	u32 node = 0;
	u64 found = 0;
	for (u32 i = 0; i < TEXT; i++) {
		node = nodes[node].next[text[i] & 3];
		for (u32 at = node; at; at = nodes[at].fail)
			if (nodes[at].ends) {
				nodes[at].count++;
				found += i - nodes[at].ends;
			}
	}
	return found;
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *text = buffer, *words = text + TEXT, *queue = words + 8 * WORDS;
	struct node *nodes = (struct node *)(queue + NODES);
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		words[n % (8 * WORDS)] += 5;
		sum = mix(sum, build(nodes, words, queue));
		sum = mix(sum, search(nodes, text));
	}
	return sum;
}
