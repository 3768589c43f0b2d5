/* Huffman coding of 2 KiB: frequencies, the tree, codes, encoding and decoding. */
#include "bench.h"

enum { SYMBOLS = 64, NODES = 2 * SYMBOLS, INPUT = 2048 };

struct huffman {
	u8 input[INPUT], output[INPUT];
	u32 weight[NODES];
	u16 left[NODES], right[NODES], parent[NODES];
	u32 code[SYMBOLS];
	u8 length[SYMBOLS];
	u8 bits[INPUT * 4];
};

/* The two lightest trees become one, until one is left. */
static u32 build(struct huffman *h)
{
	u32 roots[SYMBOLS], count = SYMBOLS, next = SYMBOLS;
	for (u32 i = 0; i < SYMBOLS; i++) {
		h->weight[i] = 1;
		roots[i] = i;
	}
	for (u32 i = 0; i < INPUT; i++)
		h->weight[h->input[i]]++;
	while (count > 1) {
		u32 pair[2];
		for (u32 k = 0; k < 2; k++) {
			u32 best = 0;
			for (u32 i = 1; i < count; i++)
				if (h->weight[roots[i]] < h->weight[roots[best]])
					best = i;
			pair[k] = roots[best];
			roots[best] = roots[--count];
		}
		h->weight[next] = h->weight[pair[0]] + h->weight[pair[1]];
		h->left[next] = (u16)pair[0];
		h->right[next] = (u16)pair[1];
		h->parent[pair[0]] = h->parent[pair[1]] = (u16)next;
		roots[count++] = next++;
	}
	return roots[0];
}

static void make_codes(struct huffman *h, u32 root)
{
	for (u32 symbol = 0; symbol < SYMBOLS; symbol++) {
		u32 code = 0, length = 0;
		for (u32 node = symbol; node != root; node = h->parent[node])
			code |= (u32)(h->right[h->parent[node]] == node) << length++;
		h->code[symbol] = code;
		h->length[symbol] = (u8)length;
	}
}

static u32 encode(struct huffman *h)
{
	u64 pending = 0;
	u32 count = 0, out = 0;
	for (u32 i = 0; i < INPUT; i++) {
		u32 symbol = h->input[i];
		pending = pending << h->length[symbol] | h->code[symbol];
		count += h->length[symbol];
		while (count >= 8) {
			count -= 8;
			h->bits[out++] = (u8)(pending >> count);
		}
	}
	h->bits[out++] = (u8)(pending << (8 - count));
	return out;
}

static void decode(struct huffman *h, u32 root)
{
	u32 at = 0;
	for (u32 i = 0; i < INPUT; i++) {
		u32 node = root;
		while (node >= SYMBOLS) {
			node = h->bits[at >> 3] >> (7 - (at & 7)) & 1 ? h->right[node] : h->left[node];
			at++;
		}
		h->output[i] = (u8)node;
	}
}

u64 bench(void *buffer, u64 iterations)
{
	struct huffman *h = buffer;
	u64 sum = 0;
	/* Small symbols are frequent. */
	for (u32 i = 0; i < INPUT; i++)
		h->input[i] = h->input[i] & h->input[(i + 1) % INPUT] & 63;
	for (u64 n = 0; n < iterations; n++) {
		u32 root = build(h);
		make_codes(h, root);
		sum = mix(sum, encode(h));
		decode(h, root);
		for (u32 i = 0; i < INPUT; i++)
			sum += h->input[i] != h->output[i];
	}
	return sum;
}
