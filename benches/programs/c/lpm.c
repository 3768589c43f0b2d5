/* Longest-prefix match of 1,024 addresses in a trie of prefixes, in an array, as routers have it. */
#include "bench.h"

enum { NODES = 4096, PREFIXES = 192 };

struct node {
	u16 child[2];
	u16 route, unused;
};

u64 bench(void *buffer, u64 iterations)
{
	struct node *nodes = buffer;
	u32 count = 1, state = 41;
	nodes[0] = (struct node){ { 0, 0 }, 0, 0 };
	for (u32 i = 0; i < PREFIXES; i++) {
		u32 address = next_random(&state), length = 8 + (next_random(&state) & 15), at = 0;
		for (u32 bit = 0; bit < length; bit++) {
			u32 side = address >> (31 - bit) & 1;
			if (!nodes[at].child[side]) {
				nodes[count] = (struct node){ { 0, 0 }, 0, 0 };
				nodes[at].child[side] = (u16)count++;
			}
			at = nodes[at].child[side];
		}
		nodes[at].route = (u16)(i + 1);
	}
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < 1024; i++) {
			u32 address = next_random(&state), at = 0, route = 0;
			do {
				if (nodes[at].route)
					route = nodes[at].route;
				at = nodes[at].child[address >> 31];
				address <<= 1;
			} while (at);
			sum += route;
		}
	}
	return sum;
}
