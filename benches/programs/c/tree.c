/* A treap of 256 nodes: insertions with rotations, lookups, a walk. */
#include "bench.h"

enum { NODES = 256 };

struct node {
	struct node *left, *right;
	u32 key, priority;
};

static noinline struct node *insert(struct node *tree, struct node *node)
{
	if (!tree)
		return node;
	if (node->key < tree->key) {
		tree->left = insert(tree->left, node);
		if (tree->left->priority > tree->priority) {
			struct node *up = tree->left;
			tree->left = up->right;
			up->right = tree;
			return up;
		}
	} else {
		tree->right = insert(tree->right, node);
		if (tree->right->priority > tree->priority) {
			struct node *up = tree->right;
			tree->right = up->left;
			up->left = tree;
			return up;
		}
	}
	return tree;
}

static noinline u32 find(const struct node *tree, u32 key)
{
	u32 depth = 0;
	for (; tree && tree->key != key; depth++)
		tree = key < tree->key ? tree->left : tree->right;
	return tree ? depth : 0x100 + depth;
}

static noinline u64 walk(const struct node *tree, u64 sum)
{
	if (!tree)
		return sum;
	sum = walk(tree->left, sum);
	return walk(tree->right, sum * 5 + tree->key);
}

u64 bench(void *buffer, u64 iterations)
{
	struct node *nodes = buffer;
	u32 state = 23;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		struct node *tree = 0;
		for (u32 i = 0; i < NODES; i++) {
			nodes[i].left = nodes[i].right = 0;
			nodes[i].key = next_random(&state) & 0xfff;
			nodes[i].priority = next_random(&state);
			tree = insert(tree, &nodes[i]);
		}
		for (u32 i = 0; i < 2 * NODES; i++)
			sum += find(tree, i * 8);
		sum = mix(sum, walk(tree, 0));
	}
	return sum;
}
