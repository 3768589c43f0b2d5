/* A B-tree of order 8 in pages: insertions with splits, look-ups by binary search in a page, a walk by a cursor. */
#include "bench.h"

enum { ORDER = 8, PAGES = 192, KEYS = 400 };

struct page {
	u16 count, is_leaf;
	u32 keys[ORDER];
	u16 children[ORDER + 1];
	u32 values[ORDER];
};

struct tree {
	u32 used, root;
	struct page pages[PAGES];
};

static u32 lower(const struct page *page, u32 key)
{
	u32 low = 0, high = page->count;
	while (low < high) {
		u32 middle = (low + high) / 2;
		if (page->keys[middle] < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static u32 new_page(struct tree *tree, u32 is_leaf)
{
	struct page *page = &tree->pages[tree->used];
	page->count = 0;
	page->is_leaf = (u16)is_leaf;
	return tree->used++;
}

/* Splits a full child: its middle goes up. */
static noinline void split(struct tree *tree, struct page *parent, u32 at)
{
	struct page *left = &tree->pages[parent->children[at]];
	u32 number = new_page(tree, left->is_leaf), half = ORDER / 2;
	struct page *right = &tree->pages[number];
	right->count = (u16)(ORDER - half - 1);
	for (u32 i = 0; i < right->count; i++) {
		right->keys[i] = left->keys[half + 1 + i];
		right->values[i] = left->values[half + 1 + i];
	}
	if (!left->is_leaf)
		for (u32 i = 0; i <= right->count; i++)
			right->children[i] = left->children[half + 1 + i];
	left->count = (u16)half;
	for (u32 i = parent->count; i > at; i--) {
		parent->keys[i] = parent->keys[i - 1];
		parent->values[i] = parent->values[i - 1];
		parent->children[i + 1] = parent->children[i];
	}
	parent->keys[at] = left->keys[half];
	parent->values[at] = left->values[half];
	parent->children[at + 1] = (u16)number;
	parent->count++;
}

static noinline void insert(struct tree *tree, u32 key, u32 value)
{
	if (tree->pages[tree->root].count == ORDER) {
		u32 root = new_page(tree, 0);
		tree->pages[root].children[0] = (u16)tree->root;
		tree->root = root;
		split(tree, &tree->pages[root], 0);
	}
	for (struct page *page = &tree->pages[tree->root];;) {
		u32 at = lower(page, key);
		if (at < page->count && page->keys[at] == key) {
			page->values[at] = value;
			return;
		}
		if (page->is_leaf) {
			for (u32 i = page->count; i > at; i--) {
				page->keys[i] = page->keys[i - 1];
				page->values[i] = page->values[i - 1];
			}
			page->keys[at] = key;
			page->values[at] = value;
			page->count++;
			return;
		}
		if (tree->pages[page->children[at]].count == ORDER) {
			split(tree, page, at);
			at += at < page->count && page->keys[at] < key;
			if (at < page->count && page->keys[at] == key)
				continue;
		}
		page = &tree->pages[page->children[at]];
	}
}

static noinline u32 find(const struct tree *tree, u32 key)
{
	for (const struct page *page = &tree->pages[tree->root];; page = &tree->pages[page->children[lower(page, key)]]) {
		u32 at = lower(page, key);
		if (at < page->count && page->keys[at] == key)
			return page->values[at];
		if (page->is_leaf)
			return 0;
	}
}

static noinline u64 walk(const struct tree *tree, u32 number, u64 sum)
{
	const struct page *page = &tree->pages[number];
	for (u32 i = 0; i < page->count; i++) {
		if (!page->is_leaf)
			sum = walk(tree, page->children[i], sum);
		sum = sum * 3 + page->keys[i];
	}
	return page->is_leaf ? sum : walk(tree, page->children[page->count], sum);
}

u64 bench(void *buffer, u64 iterations)
{
	struct tree *tree = buffer;
	u32 state = 41;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		tree->used = 0;
		tree->root = new_page(tree, 1);
		for (u32 i = 0; i < KEYS; i++)
			insert(tree, next_random(&state) & 0xfff, i);
		for (u32 key = 0; key < 0x1000; key += 5)
			sum += find(tree, key);
		sum = mix(sum, walk(tree, tree->root, 0));
	}
	return sum;
}
