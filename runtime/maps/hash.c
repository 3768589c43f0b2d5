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
