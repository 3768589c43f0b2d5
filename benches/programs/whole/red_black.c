/* A red-black tree with links to parents: insertions with their rotations, look-ups, successors. */
#include "bench.h"

enum { NODES = 256 };

struct node {
	struct node *parent, *links[2];
	u32 key, red;
};

struct tree {
	struct node *root;
};

static noinline void rotate(struct tree *tree, struct node *node, u32 side)
{
	struct node *up = node->links[!side], *inner = up->links[side];
	node->links[!side] = inner;
	if (inner)
		inner->parent = node;
	up->parent = node->parent;
	if (!node->parent)
		tree->root = up;
	else
		node->parent->links[node == node->parent->links[1]] = up;
	up->links[side] = node;
	node->parent = up;
}

static noinline void balance(struct tree *tree, struct node *node)
{
	struct node *parent;
	while ((parent = node->parent) && parent->red) {
		struct node *above = parent->parent;
		u32 side = parent == above->links[1];
		struct node *uncle = above->links[!side];
		if (uncle && uncle->red) {
			parent->red = uncle->red = 0;
			above->red = 1;
			node = above;
			continue;
		}
		if (node == parent->links[!side]) {
			rotate(tree, parent, side);
			struct node *old = node;
			node = parent;
			parent = old;
		}
		parent->red = 0;
		above->red = 1;
		rotate(tree, above, !side);
	}
	tree->root->red = 0;
}

static noinline void insert(struct tree *tree, struct node *node)
{
	struct node *parent = 0, **link = &tree->root;
	while (*link) {
		parent = *link;
		link = &parent->links[parent->key < node->key];
	}
	node->parent = parent;
	node->links[0] = node->links[1] = 0;
	node->red = 1;
	*link = node;
	balance(tree, node);
}

static struct node *next(struct node *node)
{
	if (node->links[1]) {
		for (node = node->links[1]; node->links[0]; node = node->links[0])
			;
		return node;
	}
	while (node->parent && node == node->parent->links[1])
		node = node->parent;
	return node->parent;
}

static noinline u32 depth(const struct tree *tree, u32 key)
{
	u32 steps = 0;
	for (const struct node *node = tree->root; node && node->key != key; steps++)
		node = node->links[node->key < key];
	return steps;
}

u64 bench(void *buffer, u64 iterations)
{
	struct node *nodes = buffer;
	u32 state = 77;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		struct tree tree = { 0 };
		for (u32 i = 0; i < NODES; i++) {
			nodes[i].key = next_random(&state) & 0xffff;
			insert(&tree, &nodes[i]);
		}
		struct node *node = tree.root;
		while (node->links[0])
			node = node->links[0];
		for (; node; node = next(node))
			sum = sum * 3 + node->key;
		for (u32 i = 0; i < NODES; i++)
			sum += depth(&tree, nodes[i].key);
		sum = mix(sum, n);
	}
	return sum;
}
