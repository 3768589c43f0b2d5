/* Huffman coding bit by bit: a heap of counts, a tree in arrays, codes from leaf to root, decoding from root to leaf. */
#include "bench.h"

enum { SYMBOLS = 64, BYTES = 1024 };

struct coder {
	u32 counts[2 * SYMBOLS], heap[2 * SYMBOLS + 1], codes[SYMBOLS];
	u16 parents[2 * SYMBOLS], children[2][2 * SYMBOLS];
	u8 lengths[SYMBOLS];
	u32 size;
};

static noinline void sift(struct coder *coder, u32 at)
{
	u32 *heap = coder->heap, node = heap[at];
	while (2 * at <= coder->size) {
		u32 child = 2 * at;
		if (child < coder->size && coder->counts[heap[child + 1]] < coder->counts[heap[child]])
			child++;
		if (coder->counts[node] <= coder->counts[heap[child]])
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = node;
}

static noinline u32 build(struct coder *coder)
{
	u32 next = SYMBOLS;
	coder->size = 0;
	for (u32 i = 0; i < SYMBOLS; i++)
		if (coder->counts[i])
			coder->heap[++coder->size] = i;
	for (u32 i = coder->size / 2; i > 0; i--)
		sift(coder, i);
	while (coder->size > 1) {
		u32 first = coder->heap[1];
		coder->heap[1] = coder->heap[coder->size--];
		sift(coder, 1);
		u32 second = coder->heap[1];
		coder->counts[next] = coder->counts[first] + coder->counts[second];
		coder->parents[first] = coder->parents[second] = (u16)next;
		coder->children[0][next] = (u16)first;
		coder->children[1][next] = (u16)second;
		coder->heap[1] = next++;
		sift(coder, 1);
	}
	u32 root = coder->heap[1];
	for (u32 i = 0; i < SYMBOLS; i++) {
		u32 code = 0, length = 0;
		if (coder->counts[i])
			for (u32 node = i; node != root; node = coder->parents[node])
				code |= (u32)(coder->children[1][coder->parents[node]] == node) << length++;
		coder->codes[i] = code;
		coder->lengths[i] = (u8)length;
	}
	return root;
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *text = buffer, *packed = text + BYTES;
	struct coder *coder = (struct coder *)(packed + 2 * BYTES);
	u64 sum = 0;
	for (u32 i = 0; i < BYTES; i++)
		text[i] = (text[i] & text[(i + 1) % BYTES] & 31) + (text[i] >> 6) * 8;
	for (u64 n = 0; n < iterations; n++) {
		text[n % BYTES] = n & 63;
		for (u32 i = 0; i < SYMBOLS; i++)
			coder->counts[i] = 0;
		for (u32 i = 0; i < BYTES; i++)
			coder->counts[text[i] & 63]++;
		u32 root = build(coder), bits = 0;
		for (u32 i = 0; i < BYTES; i++) {
			u32 code = coder->codes[text[i] & 63];
			for (u32 left = coder->lengths[text[i] & 63]; left-- > 0; bits++) {
				u8 mask = (u8)(1 << (bits & 7));
				packed[bits >> 3] = code >> left & 1 ? packed[bits >> 3] | mask : packed[bits >> 3] & ~mask;
			}
		}
		u32 node = root;
		for (u32 bit = 0; bit < bits; bit++) {
			node = coder->children[packed[bit >> 3] >> (bit & 7) & 1][node];
			if (node < SYMBOLS) {
				sum = sum * 31 + node;
				node = root;
			}
		}
		sum = mix(sum, bits);
	}
	return sum;
}
