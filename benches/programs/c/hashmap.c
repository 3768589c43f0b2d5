/* A hash table with open addressing: 1,024 insertions, lookups and deletions in 2,048 slots. */
#include "bench.h"

enum { SLOTS = 2048 };

struct entry {
	u64 key, value;
};

static u32 slot_of(u64 key)
{
	return (u32)(key * 0x9e3779b97f4a7c15ULL >> 53);
}

static noinline struct entry *find(struct entry *table, u64 key)
{
	u32 slot = slot_of(key);
	while (table[slot].key && table[slot].key != key)
		slot = (slot + 1) % SLOTS;
	return &table[slot];
}

/* Moves later entries of the chain into the gap. */
static void erase(struct entry *table, struct entry *gone)
{
	u32 gap = (u32)(gone - table), at = gap;
	for (;;) {
		at = (at + 1) % SLOTS;
		if (!table[at].key)
			break;
		u32 home = slot_of(table[at].key);
		if ((at - home) % SLOTS >= (at - gap) % SLOTS) {
			table[gap] = table[at];
			gap = at;
		}
	}
	table[gap].key = 0;
}

u64 bench(void *buffer, u64 iterations)
{
	struct entry *table = buffer;
	u32 state = 31;
	u64 sum = 0;
	for (u32 i = 0; i < SLOTS; i++)
		table[i].key = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < 1024; i++) {
			u64 key = 1 + (next_random(&state) & 0x7ff);
			struct entry *entry = find(table, key);
			if (!entry->key) {
				entry->key = key;
				entry->value = i;
			} else if (key & 1) {
				sum += entry->value;
				erase(table, entry);
			} else {
				sum += ++entry->value;
			}
		}
		for (u64 key = 1; key <= 2048; key += 3)
			sum += find(table, key)->value & 0xff;
		/* Half of the keys go, so that the table never fills. */
		for (u64 key = 2; key <= 2048; key += 4) {
			struct entry *entry = find(table, key);
			if (entry->key)
				erase(table, entry);
		}
	}
	return sum;
}
