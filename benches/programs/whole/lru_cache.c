/* A cache that drops what was used longest ago: a hash of chains, and a doubly linked list of all. */
#include "bench.h"

enum { ENTRIES = 64, CHAINS = 64, REQUESTS = 512 };

struct entry {
	struct entry *newer, *older, *chain;
	u32 key;
	u64 value;
};

struct cache {
	struct entry ends, *chains[CHAINS];
	struct entry entries[ENTRIES];
	u32 used, hits, misses;
};

static u32 chain_of(u32 key)
{
	return key * 0x85ebca6bu >> 26;
}

static void detach(struct entry *entry)
{
	entry->newer->older = entry->older;
	entry->older->newer = entry->newer;
}

static void attach(struct cache *cache, struct entry *entry)
{
	entry->older = cache->ends.older;
	entry->newer = &cache->ends;
	cache->ends.older->newer = entry;
	cache->ends.older = entry;
}

static noinline struct entry *evict(struct cache *cache)
{
	struct entry *oldest = cache->ends.newer, **link = &cache->chains[chain_of(oldest->key)];
	detach(oldest);
	while (*link != oldest)
		link = &(*link)->chain;
	*link = oldest->chain;
	return oldest;
}

static noinline u64 get(struct cache *cache, u32 key)
{
	struct entry **head = &cache->chains[chain_of(key)];
	for (struct entry *entry = *head; entry; entry = entry->chain)
		if (entry->key == key) {
			cache->hits++;
			detach(entry);
			attach(cache, entry);
			return entry->value;
		}
	cache->misses++;
	struct entry *entry = cache->used < ENTRIES ? &cache->entries[cache->used++] : evict(cache);
	entry->key = key;
	entry->value = mix(key, 0x1234567);
	head = &cache->chains[chain_of(key)];
	entry->chain = *head;
	*head = entry;
	attach(cache, entry);
	return entry->value;
}

u64 bench(void *buffer, u64 iterations)
{
	struct cache *cache = buffer;
	u32 state = 67;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		cache->ends.newer = cache->ends.older = &cache->ends;
		for (u32 i = 0; i < CHAINS; i++)
			cache->chains[i] = 0;
		cache->used = cache->hits = cache->misses = 0;
		for (u32 i = 0; i < REQUESTS; i++) {
			u32 random = next_random(&state);
			sum += get(cache, random & 1 ? random >> 1 & 31 : random >> 1 & 255);
		}
		sum = mix(sum, (u64)cache->hits << 32 | cache->misses);
	}
	return sum;
}
