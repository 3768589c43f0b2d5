/* A mix after CoreMark's idea (a list, a matrix, a state machine, a CRC over their results), written anew. */
#include "bench.h"

enum { ITEMS = 48, SIDE = 12 };

struct item {
	struct item *next;
	i16 key, index;
};

struct state {
	struct item items[ITEMS];
	i16 a[SIDE * SIDE], b[SIDE * SIDE];
	i32 c[SIDE * SIDE];
	u8 text[128];
};

static u16 crc16(u16 crc, u32 value)
{
	for (u32 bit = 0; bit < 16; bit++, value >>= 1)
		crc = (u16)((crc ^ value) & 1 ? crc >> 1 ^ 0xa001 : crc >> 1);
	return crc;
}

static u32 matrix_work(struct state *s, i16 seed)
{
	u32 sum = 0;
	for (u32 i = 0; i < SIDE * SIDE; i++)
		s->a[i] = (i16)(s->a[i] + seed);
	for (u32 i = 0; i < SIDE; i++)
		for (u32 j = 0; j < SIDE; j++) {
			i32 cell = 0;
			for (u32 k = 0; k < SIDE; k++)
				cell += s->a[i * SIDE + k] * s->b[k * SIDE + j];
			s->c[i * SIDE + j] = cell;
			sum += (u32)(cell >> 2 & 15) * (u32)(cell >> 5 & 127);
		}
	for (u32 i = 0; i < SIDE * SIDE; i++)
		s->a[i] = (i16)(s->a[i] - seed);
	return sum;
}

static u32 state_work(struct state *s, u32 seed)
{
	enum { START, INTEGER, POINT, EXPONENT, INVALID } state = START;
	u32 counts[5] = { 0 };
	s->text[seed & 127] ^= 1;
	for (u32 i = 0; i < sizeof s->text; i++) {
		u8 c = s->text[i];
		int digit = (u8)(c - '0') < 10;
		if (c == ',') {
			counts[state]++;
			state = START;
			continue;
		}
		switch (state) {
		case START:
			state = digit || c == '-' || c == '+' ? INTEGER : c == '.' ? POINT : INVALID;
			break;
		case INTEGER:
			if (!digit)
				state = c == '.' ? POINT : c == 'e' ? EXPONENT : INVALID;
			break;
		case POINT:
			if (!digit)
				state = c == 'e' ? EXPONENT : INVALID;
			break;
		case EXPONENT:
			if (!digit && c != '-')
				state = INVALID;
			break;
		case INVALID:
			break;
		}
	}
	s->text[seed & 127] ^= 1;
	return counts[0] + counts[1] * 3 + counts[2] * 5 + counts[3] * 7 + counts[4] * 11;
}

/* The order of two items is what the other two kinds of work say of them. */
static i32 order(struct state *s, struct item *a, struct item *b, int by_work)
{
	if (!by_work)
		return a->index - b->index;
	i32 first = a->key & 1 ? (i32)state_work(s, (u32)a->key) : a->key;
	i32 second = b->key & 1 ? (i32)state_work(s, (u32)b->key) : b->key;
	return first - second;
}

static noinline struct item *sort(struct state *s, struct item *list, int by_work)
{
	for (u32 width = 1;; width *= 2) {
		struct item *left = list, *tail = 0;
		u32 merges = 0;
		list = 0;
		while (left) {
			struct item *right = left;
			u32 left_size = 0, right_size = width;
			merges++;
			while (left_size < width && right) {
				right = right->next;
				left_size++;
			}
			while (left_size > 0 || (right_size > 0 && right)) {
				struct item *taken;
				if (left_size > 0 && (right_size == 0 || !right || order(s, left, right, by_work) <= 0)) {
					taken = left;
					left = left->next;
					left_size--;
				} else {
					taken = right;
					right = right->next;
					right_size--;
				}
				if (tail)
					tail->next = taken;
				else
					list = taken;
				tail = taken;
			}
			left = right;
		}
		tail->next = 0;
		if (merges <= 1)
			return list;
	}
}

u64 bench(void *buffer, u64 iterations)
{
	static const char letters[] = "0123.,e-5,+9x7,4";
	struct state *s = buffer;
	u16 crc = 0;
	for (u32 i = 0; i < sizeof s->text; i++)
		s->text[i] = (u8)letters[s->text[i] & 15];
	for (u32 i = 0; i < SIDE * SIDE; i++) {
		s->a[i] &= 255;
		s->b[i] &= 255;
	}
	for (u32 i = 0; i < ITEMS; i++) {
		s->items[i].next = i + 1 < ITEMS ? &s->items[i + 1] : 0;
		s->items[i].key = (i16)(s->text[i] * 37 & 0x1ff);
		s->items[i].index = (i16)i;
	}
	struct item *list = s->items;
	for (u64 n = 0; n < iterations; n++) {
		list = sort(s, list, 1);
		for (struct item *item = list; item; item = item->next)
			crc = crc16(crc, (u32)item->key);
		list = sort(s, list, 0);
		crc = crc16(crc, matrix_work(s, (i16)(crc & 63)));
		crc = crc16(crc, state_work(s, (u32)n));
		list->key ^= (i16)(crc & 0x1ff);
	}
	return crc;
}
