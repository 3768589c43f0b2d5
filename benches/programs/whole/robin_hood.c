/* An open hash table with Robin Hood probing: insertions, look-ups, removals by shifting back. */
#include "bench.h"

enum { SLOTS = 512, KEYS = 384 };

struct slot {
	u32 key, value;
};

static u32 home(u32 key)
{
	return key * 0x9e3779b1u >> 23;
}

static u32 distance(u32 key, u32 at)
{
	return (at - home(key)) & (SLOTS - 1);
}

static noinline void insert(struct slot *slots, u32 key, u32 value)
{
	struct slot new = { key, value };
	u32 far = 0;
	for (u32 at = home(key);; at = (at + 1) & (SLOTS - 1), far++) {
		if (!slots[at].key) {
			slots[at] = new;
			return;
		}
		if (slots[at].key == new.key) {
			slots[at].value += new.value;
			return;
		}
		u32 other = distance(slots[at].key, at);
		if (other < far) {
			struct slot displaced = slots[at];
			slots[at] = new;
			new = displaced;
			far = other;
		}
	}
}

static noinline struct slot *find(struct slot *slots, u32 key)
{
	u32 far = 0;
	for (u32 at = home(key); slots[at].key; at = (at + 1) & (SLOTS - 1), far++) {
		if (slots[at].key == key)
			return &slots[at];
		if (distance(slots[at].key, at) < far)
			return 0;
	}
	return 0;
}

static noinline u32 remove(struct slot *slots, u32 key)
{
	struct slot *found = find(slots, key);
	if (!found)
		return 0;
	u32 at = (u32)(found - slots), value = found->value;
	for (;;) {
		u32 next = (at + 1) & (SLOTS - 1);
		if (!slots[next].key || !distance(slots[next].key, next))
			break;
		slots[at] = slots[next];
		at = next;
	}
	slots[at].key = 0;
	return value;
}

u64 bench(void *buffer, u64 iterations)
{
	struct slot *slots = buffer;
	u32 state = 99;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < SLOTS; i++)
			slots[i].key = 0;
		for (u32 i = 0; i < KEYS; i++)
			insert(slots, (next_random(&state) & 1023) + 1, i);
		for (u32 key = 1; key <= 1024; key++) {
			const struct slot *slot = find(slots, key);
			if (slot)
				sum += slot->value;
		}
		for (u32 key = 1; key <= 1024; key += 3)
			sum = mix(sum, remove(slots, key));
	}
	return sum;
}
