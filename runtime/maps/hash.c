/* BPF_MAP_TYPE_HASH, _PERCPU_HASH, and with eviction _LRU_HASH, _LRU_PERCPU_HASH: what they allow, over one table. */
#include "maps/hash.h"

static long check(const struct map *map, u32 flags) {
    u32 known = BPF_F_NUMA_NODE | BPF_F_ACCESS_MASK | BPF_F_ZERO_SEED | BPF_F_NO_PREALLOC | BPF_F_NO_COMMON_LRU;
    if (map->flags & ~known) return -EINVAL;
    if (map->flags & BPF_F_NO_COMMON_LRU & ~flags) return -EINVAL;
    if (map->flags & BPF_F_NO_PREALLOC & ~flags) return -ENOTSUPP;
    if (map->flags & BPF_F_NUMA_NODE & ~flags) return -EINVAL;
    if (!map->max_entries || !map->key_size || !map->value_size) return -EINVAL;
    if ((u64)map->key_size + map->value_size >= ALLOCATION_MAX - 48) return -E2BIG;
    return map->max_entries > 1u << 31 ? -E2BIG : 0;
}

/* `flags`: those that the type has and other hashes have not. */
static long create_with(struct map *map, u32 flags, u32 values) {
    long error = check(map, flags);
    if (error) return error;
    if (values > 1 && map->value_size > PERCPU_VALUE_MAX) return -E2BIG;
    map->state = bpf2native_rt_hash_create(map, map->key_size, map->value_size, map->max_entries, values);
    return map->state ? 0 : -ENOMEM;
}

static long create(struct map *map) { return create_with(map, BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE, 1); }

static long create_percpu(struct map *map) { return create_with(map, BPF_F_NO_PREALLOC, PROCESSORS); }

/* With a list for each processor, the elements are divided among them. */
static long create_evicting(struct map *map, u32 flags, u32 values) {
    if (!(map->flags & BPF_F_NO_COMMON_LRU)) return create_with(map, flags | BPF_F_NO_COMMON_LRU, values);
    u64 entries = ((u64)map->max_entries + PROCESSORS - 1) / PROCESSORS * PROCESSORS;
    map->max_entries = entries > 1u << 31 ? 1u << 31 : entries;
    return create_with(map, BPF_F_NO_COMMON_LRU, values);
}

static long create_lru(struct map *map) { return create_evicting(map, BPF_F_NUMA_NODE, 1); }

static long create_lru_percpu(struct map *map) { return create_evicting(map, 0, PROCESSORS); }

static void destroy(struct map *map) {
    bpf2native_rt_hash_destroy(map->state);
    map->state = NULL;
}

static void *lookup(struct map *map, const void *key) {
    struct hash_table *table = map->state;
    struct hash_element *element = hash_find(table, key);
    return element ? hash_value(table, element, 0) : NULL;
}

static void *lookup_lru(struct map *map, const void *key) {
    struct hash_table *table = map->state;
    struct hash_element *element = hash_find(table, key);
    if (!element) return NULL;
    hash_reference(element);
    return hash_value(table, element, 0);
}

static void *lookup_of(struct map *map, const void *key, u32 processor) {
    struct hash_table *table = map->state;
    struct hash_element *element = processor < PROCESSORS ? hash_find(table, key) : NULL;
    return element ? hash_value(table, element, processor) : NULL;
}

static void *lookup_percpu(struct map *map, const void *key) { return lookup_of(map, key, this_processor()); }

static void *lookup_of_lru(struct map *map, const void *key, u32 processor) {
    struct hash_table *table = map->state;
    struct hash_element *element = processor < PROCESSORS ? hash_find(table, key) : NULL;
    if (!element) return NULL;
    hash_reference(element);
    return hash_value(table, element, processor);
}

static void *lookup_lru_percpu(struct map *map, const void *key) {
    return lookup_of_lru(map, key, this_processor());
}

/* All values, and without being a use that evictions go by. */
static long user_lookup(struct map *map, const void *key, void *value, u64 flags) {
    struct hash_table *table = map->state;
    struct hash_element *element = hash_find(table, key);
    if (!element) return -ENOENT;
    bpf2native_rt_hash_copy(table, element, value, flags);
    return 0;
}

static long update(struct map *map, const void *key, const void *value, u64 flags) {
    if ((flags & ~(u64)BPF_F_LOCK) > BPF_EXIST) return -EINVAL;
    if (flags & BPF_F_LOCK && !has_lock(map)) return -EINVAL;
    return bpf2native_rt_hash_update(map->state, key, value, flags, VALUE_ONE);
}

static long update_percpu(struct map *map, const void *key, const void *value, u64 flags) {
    if (flags > BPF_EXIST) return -EINVAL;
    return bpf2native_rt_hash_update(map->state, key, value, flags, VALUE_OF_THIS_PROCESSOR);
}

static long user_update_percpu(struct map *map, const void *key, const void *value, u64 flags) {
    if (flags > BPF_EXIST) return -EINVAL;
    return bpf2native_rt_hash_update(map->state, key, value, flags, VALUE_OF_EACH_PROCESSOR);
}

/* A full table makes room; if other threads take that at once, again. */
static long evicting(struct map *map, const void *key, const void *value, u64 flags, enum hash_value what) {
    if (flags > BPF_EXIST) return -EINVAL;
    for (;;) {
        long error = bpf2native_rt_hash_update(map->state, key, value, flags, what);
        if (error != -E2BIG) return error;
        if (!bpf2native_rt_hash_evict(map->state)) return -ENOMEM;
    }
}

static long update_lru(struct map *map, const void *key, const void *value, u64 flags) {
    return evicting(map, key, value, flags, VALUE_ONE);
}

static long update_lru_percpu(struct map *map, const void *key, const void *value, u64 flags) {
    return evicting(map, key, value, flags, VALUE_OF_THIS_PROCESSOR);
}

static long user_update_lru_percpu(struct map *map, const void *key, const void *value, u64 flags) {
    return evicting(map, key, value, flags, VALUE_OF_EACH_PROCESSOR);
}

static long remove(struct map *map, const void *key) { return bpf2native_rt_hash_remove(map->state, key, NULL); }

static long user_take(struct map *map, const void *key, void *value, u64 flags) {
    return bpf2native_rt_hash_remove(map->state, key, value);
}

static long next_key(struct map *map, const void *key, void *next) {
    return bpf2native_rt_hash_next_key(map->state, key, next);
}

static long for_each(struct map *map, void *callback, void *context, u64 flags) {
    return bpf2native_rt_hash_for_each(map->state, callback, context, flags);
}

weak const struct map_ops bpf_map_ops_hash = {
    .lookup = lookup, .update = update, .remove = remove, .next_key = next_key, .for_each = for_each,
    .user_lookup = user_lookup, .user_take = user_take, .create = create, .destroy = destroy,
};

weak const struct map_ops bpf_map_ops_percpu_hash = {
    .lookup = lookup_percpu, .update = update_percpu, .remove = remove, .next_key = next_key, .for_each = for_each,
    .user_lookup = user_lookup, .user_update = user_update_percpu, .user_take = user_take,
    .create = create_percpu, .destroy = destroy, .lookup_percpu = lookup_of,
};

weak const struct map_ops bpf_map_ops_lru_hash = {
    .lookup = lookup_lru, .update = update_lru, .remove = remove, .next_key = next_key, .for_each = for_each,
    .user_lookup = user_lookup, .user_take = user_take, .create = create_lru, .destroy = destroy,
};

weak const struct map_ops bpf_map_ops_lru_percpu_hash = {
    .lookup = lookup_lru_percpu, .update = update_lru_percpu, .remove = remove, .next_key = next_key,
    .for_each = for_each, .user_lookup = user_lookup, .user_update = user_update_lru_percpu, .user_take = user_take,
    .create = create_lru_percpu, .destroy = destroy, .lookup_percpu = lookup_of_lru,
};

/* What calls of helpers call for maps that programs name (src/select/map_calls.rs). */

#define REST(size)                                                                              \
    static never_inline struct hash_element *rest_##size(struct map *map, const void *key) {    \
        return map_ready(map) ? NULL : hash_find_sized(map->state, key, size);                  \
    }
REST(4)
REST(8)
REST(16)

/* Of keys of other sizes. */
static struct hash_element *find_any(struct map *map, const void *key) {
    return map_ready(map) ? NULL : hash_find(map->state, key);
}

/* `element` is NULL, or one whose keys are of `key_size` bytes. */
static forced_inline void *value_of(struct hash_element *element, u32 key_size) {
    return element ? element->key + round8(key_size) : NULL;
}

static forced_inline void *lru_value_of(struct hash_element *element, u32 key_size) {
    if (element) hash_reference(element);
    return value_of(element, key_size);
}

static forced_inline void *percpu_value_of(const struct map *map, struct hash_element *element) {
    return element ? hash_value(map->state, element, this_processor()) : NULL;
}

static forced_inline void *lru_percpu_value_of(const struct map *map, struct hash_element *element) {
    if (element) hash_reference(element);
    return percpu_value_of(map, element);
}

#define LOOKUPS(suffix, find, key_size)                                                         \
    weak void *bpf2native_rt_lookup_hash##suffix(struct map *map, const void *key) {            \
        return value_of(find, key_size);                                                        \
    }                                                                                           \
    weak void *bpf2native_rt_lookup_lru_hash##suffix(struct map *map, const void *key) {        \
        return lru_value_of(find, key_size);                                                    \
    }                                                                                           \
    weak void *bpf2native_rt_lookup_percpu_hash##suffix(struct map *map, const void *key) {     \
        return percpu_value_of(map, find);                                                      \
    }                                                                                           \
    weak void *bpf2native_rt_lookup_lru_percpu_hash##suffix(struct map *map, const void *key) { \
        return lru_percpu_value_of(map, find);                                                  \
    }
LOOKUPS(_4, hash_find_named(map, key, 4, rest_4), 4)
LOOKUPS(_8, hash_find_named(map, key, 8, rest_8), 8)
LOOKUPS(_16, hash_find_named(map, key, 16, rest_16), 16)
LOOKUPS(, find_any(map, key), map->key_size)

#define UPDATES(type, function)                                                                                     \
    weak long bpf2native_rt_update_##type(struct map *map, const void *key, const void *value, u64 flags) {         \
        long error = map_ready(map);                                                                                \
        return error ? error : function(map, key, value, flags);                                                    \
    }
UPDATES(hash, update)
UPDATES(lru_hash, update_lru)
UPDATES(percpu_hash, update_percpu)
UPDATES(lru_percpu_hash, update_lru_percpu)

#define DELETES(type)                                                                           \
    weak long bpf2native_rt_delete_##type(struct map *map, const void *key) {                   \
        long error = map_ready(map);                                                            \
        return error ? error : remove(map, key);                                                \
    }
DELETES(hash)
DELETES(lru_hash)
DELETES(percpu_hash)
DELETES(lru_percpu_hash)
