/* The hash table of all types that have one: chains of elements from a pool that is bounded by max_entries.

   Look-ups take no lock. An element that is freed may be used again at once, for another key, while a thread still looks at
   it (as in the kernel): a chain ends with its bucket's number, and a walk that came into another chain begins again. An
   update does not write into the element that is there but puts a new one in front of it, so that a look-up finds one of
   the two, whole.

   Writers of a bucket hold one of the table's locks, and the pool's within it. */
#ifndef BPF2NATIVE_RUNTIME_HASH_H
#define BPF2NATIVE_RUNTIME_HASH_H

#include "maps/common.h"

struct hash_element {
    u64 next;  /* the next element's address, or 2 * bucket + 1 after the last */
    u32 spare; /* in the pool's list: the next one's index + 1 */
    u32 use;   /* enum element_use */
    u8 key[];  /* rounded up to 8 bytes; the value follows */
};

/* What evictions go by. */
enum element_use { ELEMENT_FREE, ELEMENT_USED, ELEMENT_REFERENCED };

/* Elements beside max_entries, for updates that replace one: as many threads at a time do not wait for each other. */
enum { HASH_SPARE = 16 };

enum { HASH_LOCKS = 64 };

struct hash_table {
    u64 *buckets;      /* an element's address, an end, or 0 */
    char *elements;
    u64 stride;        /* from element to element */
    u32 value_offset;  /* in an element */
    u32 shift;         /* 64 - log2(buckets) */
    u32 key_size;
    u32 limit;         /* elements at most */
    struct map *map;
    u64 value_size;    /* from value to value of an element: value_bytes, rounded up to 8 */
    u32 value_bytes;
    u32 values;        /* in an element: 1 or PROCESSORS */
    /* The pool. */
    u32 pool_lock;
    u32 live;          /* elements that are in chains */
    u32 touched;       /* elements that were ever used: the first ones */
    u32 spare;         /* free ones among these: index + 1 */
    u32 hand;          /* where the search for a victim goes on */
    u32 hand_lock;
    u32 locks[HASH_LOCKS];
};

/* What an update's value is. */
enum hash_value { VALUE_ONE, VALUE_OF_THIS_PROCESSOR, VALUE_OF_EACH_PROCESSOR };

/* A table with `values` values of `value_size` bytes an element; NULL: no memory. */
struct hash_table *bpf2native_rt_hash_create(struct map *map, u32 key_size, u32 value_size, u32 limit, u32 values);
void bpf2native_rt_hash_destroy(struct hash_table *table);
/* 0, -EEXIST, -ENOENT, or -E2BIG for a full table; `flags` are right. A `value` that is NULL is zeros. */
long bpf2native_rt_hash_update(struct hash_table *table, const void *key, const void *value, u64 flags,
                               enum hash_value what);
/* Removes an element; copies its values to `value`, if that is not NULL. 0 or -ENOENT. */
long bpf2native_rt_hash_remove(struct hash_table *table, const void *key, void *value);
/* Removes one that was not looked up of late. 1, or 0 if there is none. */
long bpf2native_rt_hash_evict(struct hash_table *table);
long bpf2native_rt_hash_next_key(struct hash_table *table, const void *key, void *next);
long bpf2native_rt_hash_for_each(struct hash_table *table, map_callback callback, void *context, u64 flags);
/* Copies all values of an element. */
void bpf2native_rt_hash_copy(const struct hash_table *table, struct hash_element *element, void *value, u64 flags);

/* 2 to the 64th, divided by the golden ratio: the upper bits of the product are spread, of counters too. */
#define GOLDEN 0x9e3779b97f4a7c15ul

static inline u64 load4(const void *at) { return *(const u32 *)at; }
static inline u64 load8(const void *at) { return *(const u64 *)at; }

static inline u64 hash_long_key(const u8 *key, u32 size) {
    u64 hash = size;
    u32 at = 0;
    for (; at + 8 <= size; at += 8) {
        hash = (hash ^ load8(key + at)) * GOLDEN;
        hash ^= hash >> 32;
    }
    if (at + 4 <= size) {
        hash = (hash ^ load4(key + at)) * GOLDEN;
        hash ^= hash >> 32;
        at += 4;
    }
    for (; at < size; at++) hash = (hash ^ key[at]) * GOLDEN;
    return hash;
}

static inline u64 hash_bucket(const struct hash_table *table, const void *key, u32 size) {
    u64 hash = size == 4 ? load4(key) : size == 8 ? load8(key) : hash_long_key(key, size);
    return hash * GOLDEN >> table->shift;
}

static inline int same_long_key(const u8 *a, const u8 *b, u32 size) {
    u32 at = 0;
    for (; at + 8 <= size; at += 8)
        if (load8(a + at) != load8(b + at)) return 0;
    if (at + 4 <= size) {
        if (load4(a + at) != load4(b + at)) return 0;
        at += 4;
    }
    for (; at < size; at++)
        if (a[at] != b[at]) return 0;
    return 1;
}

static inline int same_key(const void *a, const void *b, u32 size) {
    return size == 4 ? load4(a) == load4(b) : size == 8 ? load8(a) == load8(b) : same_long_key(a, b, size);
}

static inline int is_end(u64 link) { return !link || link & 1; }

/* `size` is table->key_size: a constant where it is a usual one. */
static forced_inline struct hash_element *hash_find_sized(const struct hash_table *table, const void *key,
                                                          u32 size) {
    u64 bucket = hash_bucket(table, key, size), link;
    do {
        for (link = read_once(table->buckets[bucket]); !is_end(link);) {
            struct hash_element *element = (struct hash_element *)link;
            if (same_key(element->key, key, size)) return element;
            link = read_once(element->next);
        }
    } while (unlikely(link && link >> 1 != bucket));
    return NULL;
}

static forced_inline struct hash_element *hash_find(const struct hash_table *table, const void *key) {
    if (table->key_size == 4) return hash_find_sized(table, key, 4);
    if (table->key_size == 8) return hash_find_sized(table, key, 8);
    if (table->key_size == 16) return hash_find_sized(table, key, 16);
    return hash_find_sized(table, key, table->key_size);
}

/* The whole look-up, for a map that a program names, whose keys are of `size` bytes: what is inlined there. `rest` is for a map
   that is not made yet, and for walks that came into another chain. */
static forced_inline struct hash_element *hash_find_named(
    struct map *map, const void *key, u32 size, struct hash_element *(*rest)(struct map *, const void *)) {
    if (likely(is_made(map))) {
        const struct hash_table *table = map->state;
        u64 bucket = hash_bucket(table, key, size), link = read_once(table->buckets[bucket]);
        for (;;) {
            if (!link) return NULL;
            if (link & 1) break;
            struct hash_element *element = (struct hash_element *)link;
            if (same_key(element->key, key, size)) return element;
            link = read_once(element->next);
        }
        if (likely(link >> 1 == bucket)) return NULL;
    }
    return rest(map, key);
}

static inline void *hash_value(const struct hash_table *table, struct hash_element *element, u32 index) {
    return (char *)element + table->value_offset + index * table->value_size;
}

/* That an element is in use, for evictions. Only look-ups of LRU maps say it, so that others do not write. */
static inline void hash_reference(struct hash_element *element) {
    if (read_once(element->use) == ELEMENT_USED) element->use = ELEMENT_REFERENCED;
}

#endif
