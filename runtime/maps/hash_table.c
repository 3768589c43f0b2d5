/* The hash table's writers (maps/hash.h has what it is). */
#include "maps/hash.h"

static struct hash_element *element_at(const struct hash_table *table, u32 index) {
    return (struct hash_element *)(table->elements + index * table->stride);
}

static u32 index_of(const struct hash_table *table, const struct hash_element *element) {
    return (u64)((const char *)element - table->elements) / table->stride;
}

weak struct hash_table *bpf2native_rt_hash_create(struct map *map, u32 key_size, u32 value_size, u32 limit, u32 values) {
    struct hash_table *table = calloc(1, sizeof *table);
    if (!table) return NULL;
    u64 buckets = power_of_two(limit < 2 ? 2 : limit);
    table->map = map;
    table->key_size = key_size;
    table->limit = limit;
    table->values = values;
    table->value_bytes = value_size;
    table->value_size = round8(value_size);
    table->value_offset = sizeof(struct hash_element) + round8(key_size);
    table->stride = table->value_offset + values * table->value_size;
    for (table->shift = 64; buckets >> (64 - table->shift) > 1;) table->shift--;
    /* Memory of these sizes is zero pages until it is used. */
    table->buckets = calloc(buckets, sizeof *table->buckets);
    table->elements = calloc((u64)limit + HASH_SPARE, table->stride);
    if (table->buckets && table->elements) return table;
    bpf2native_rt_hash_destroy(table);
    return NULL;
}

static void free_values(struct hash_table *table, struct hash_element *element) {
    for (u32 i = 0; table->map->field_count && i < table->values; i++)
        bpf2native_rt_map_free_fields(table->map, hash_value(table, element, i));
}

weak void bpf2native_rt_hash_destroy(struct hash_table *table) {
    for (u32 i = 0; i < table->touched; i++)
        if (element_at(table, i)->use != ELEMENT_FREE) free_values(table, element_at(table, i));
    free(table->buckets);
    free(table->elements);
    free(table);
}

static u32 *lock_of(struct hash_table *table, u64 bucket) { return &table->locks[bucket % HASH_LOCKS]; }

/* An element that is in no chain; NULL if the table is full and it is not to replace one. With more threads at work than
   there are spare elements, it waits for one of them: those that replace give back what they took. */
static struct hash_element *take(struct hash_table *table, int replaces) {
    for (;;) {
        struct hash_element *element = NULL;
        lock(&table->pool_lock);
        int full = !replaces && table->live == table->limit;
        if (!full && table->spare) {
            element = element_at(table, table->spare - 1);
            table->spare = element->spare;
        } else if (!full && table->touched < table->limit + (u64)HASH_SPARE) {
            element = element_at(table, table->touched++);
        }
        if (element && !replaces) table->live++;
        unlock(&table->pool_lock);
        if (element || full) return element;
        sched_yield();
    }
}

/* Gives back one that is in no chain any more; `dies` if no other replaced it. */
static void give(struct hash_table *table, struct hash_element *element, int dies) {
    free_values(table, element);
    lock(&table->pool_lock);
    element->use = ELEMENT_FREE;
    element->spare = table->spare;
    table->spare = index_of(table, element) + 1;
    if (dies) table->live--;
    unlock(&table->pool_lock);
}

/* With the bucket's lock. */
static void insert(struct hash_table *table, u64 bucket, struct hash_element *element) {
    u64 first = table->buckets[bucket];
    element->next = first ? first : bucket << 1 | 1;
    __atomic_store_n(&table->buckets[bucket], (u64)element, __ATOMIC_RELEASE);
}

/* With the bucket's lock; whether it was in the chain. Its `next` stays, for those who are just looking at it. */
static int unlink(struct hash_table *table, u64 bucket, struct hash_element *element) {
    u64 *from = &table->buckets[bucket];
    while (!is_end(*from) && *from != (u64)element) from = &((struct hash_element *)*from)->next;
    if (*from != (u64)element) return 0;
    __atomic_store_n(from, element->next, __ATOMIC_RELEASE);
    return 1;
}

/* Writes an element that is there already: values of processors, or one under its own lock. */
static void write(struct hash_table *table, struct hash_element *element, const void *value, u64 flags,
                  enum hash_value what) {
    if (what == VALUE_ONE) {
        void *to = hash_value(table, element, 0);
        bpf2native_rt_map_copy_locked(table->map, to, value, to);
    } else if (what == VALUE_OF_THIS_PROCESSOR) {
        memcpy(hash_value(table, element, this_processor()), value, table->value_bytes);
    } else {
        memcpy(hash_value(table, element, 0), value, table->values * table->value_size);
    }
}

/* The values of a new element. The key comes last: whoever looks at the element still, and for that key, finds them. */
static void fill(struct hash_table *table, struct hash_element *element, const void *key, const void *value,
                 enum hash_value what) {
    char *to = hash_value(table, element, 0);
    if (what != VALUE_ONE) {
        if (what == VALUE_OF_THIS_PROCESSOR) memset(to, 0, table->values * table->value_size);
        write(table, element, value, 0, what);
    } else if (!value) {
        memset(to, 0, table->value_bytes);
    } else if (table->map->field_count) {
        bpf2native_rt_map_clear_fields(table->map, to);
        bpf2native_rt_map_copy_around_fields(table->map, to, value);
    } else {
        memcpy(to, value, table->value_bytes);
    }
    memcpy(element->key, key, table->key_size);
    element->use = ELEMENT_USED;
}

/* With the bucket's lock. */
static long put(struct hash_table *table, u64 bucket, const void *key, const void *value, u64 flags,
                enum hash_value what, struct hash_element **replaced) {
    struct hash_element *old = hash_find(table, key);
    if (old && flags & BPF_NOEXIST) return -EEXIST;
    if (!old && flags & BPF_EXIST) return -ENOENT;
    if (old && (what != VALUE_ONE || flags & BPF_F_LOCK)) {
        write(table, old, value, flags, what);
        return 0;
    }
    struct hash_element *new = take(table, old != NULL);
    if (!new) return -E2BIG;
    fill(table, new, key, value, what);
    insert(table, bucket, new);
    if (old) unlink(table, bucket, old);
    *replaced = old;
    return 0;
}

weak long bpf2native_rt_hash_update(struct hash_table *table, const void *key, const void *value, u64 flags,
                          enum hash_value what) {
    struct hash_element *replaced = NULL;
    u64 bucket = hash_bucket(table, key, table->key_size);
    lock(lock_of(table, bucket));
    long error = put(table, bucket, key, value, flags, what, &replaced);
    unlock(lock_of(table, bucket));
    if (replaced) give(table, replaced, 0);
    return error;
}

weak long bpf2native_rt_hash_remove(struct hash_table *table, const void *key, void *value) {
    u64 bucket = hash_bucket(table, key, table->key_size);
    lock(lock_of(table, bucket));
    struct hash_element *element = hash_find(table, key);
    if (element) {
        if (value) bpf2native_rt_hash_copy(table, element, value, 0);
        unlink(table, bucket, element);
    }
    unlock(lock_of(table, bucket));
    if (!element) return -ENOENT;
    give(table, element, 1);
    return 0;
}

/* Whether the element could be taken out of its chain: another thread may have been faster. */
static int evicted(struct hash_table *table, struct hash_element *element) {
    u64 bucket = hash_bucket(table, element->key, table->key_size);
    lock(lock_of(table, bucket));
    int found = unlink(table, bucket, element);
    unlock(lock_of(table, bucket));
    return found;
}

/* The clock algorithm: a hand goes around over the elements, and takes the first that was not looked up since it came by the
   last time. */
weak long bpf2native_rt_hash_evict(struct hash_table *table) {
    struct hash_element *victim = NULL;
    lock(&table->hand_lock);
    for (u64 steps = 3 * (u64)table->touched; steps && !victim; steps--) {
        struct hash_element *element = element_at(table, table->hand);
        table->hand = table->hand + 1 < table->touched ? table->hand + 1 : 0;
        if (element->use == ELEMENT_REFERENCED) element->use = ELEMENT_USED;
        else if (element->use == ELEMENT_USED && evicted(table, element)) victim = element;
    }
    unlock(&table->hand_lock);
    if (!victim) return 0;
    give(table, victim, 1);
    return 1;
}

static struct hash_element *first_from(const struct hash_table *table, u64 bucket) {
    for (; bucket < 1ul << (64 - table->shift); bucket++) {
        u64 link = read_once(table->buckets[bucket]);
        if (!is_end(link)) return (struct hash_element *)link;
    }
    return NULL;
}

static struct hash_element *after(const struct hash_table *table, u64 bucket, u64 link) {
    return is_end(link) ? first_from(table, bucket + 1) : (struct hash_element *)link;
}

/* As the kernel has it, the key after one that is not there is the first. */
weak long bpf2native_rt_hash_next_key(struct hash_table *table, const void *key, void *next) {
    struct hash_element *element = key ? hash_find(table, key) : NULL;
    if (element) element = after(table, hash_bucket(table, key, table->key_size), read_once(element->next));
    else element = first_from(table, 0);
    if (!element) return -ENOENT;
    memcpy(next, element->key, table->key_size);
    return 0;
}

/* The callback may update and delete, the element that it is at too; no lock is held. */
weak long bpf2native_rt_hash_for_each(struct hash_table *table, map_callback callback, void *context, u64 flags) {
    if (flags) return -EINVAL;
    u32 value = table->values == 1 ? 0 : this_processor();
    long done = 0;
    for (u64 bucket = 0; bucket < 1ul << (64 - table->shift); bucket++) {
        for (u64 link = read_once(table->buckets[bucket]); !is_end(link);) {
            struct hash_element *element = (struct hash_element *)link;
            link = read_once(element->next);
            done++;
            if (callback(table->map, element->key, hash_value(table, element, value), context)) return done;
        }
    }
    return done;
}

weak void bpf2native_rt_hash_copy(const struct hash_table *table, struct hash_element *element, void *value, u64 flags) {
    struct map *map = table->map;
    for (u32 i = 0; i < table->values; i++) {
        void *from = hash_value(table, element, i), *to = (char *)value + i * table->value_size;
        if (!map->field_count) {
            memcpy(to, from, table->value_bytes);
            continue;
        }
        copy_value_by(map, to, from, from, flags);
        bpf2native_rt_map_clear_fields(map, to);
    }
}
