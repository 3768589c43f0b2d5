/* BPF_MAP_TYPE_HASH_OF_MAPS: a hash table of addresses of maps. */
#include "maps/hash.h"
#include "maps/values.h"

/* The elements of the definition: their indexes are the keys, integers. */
static long fill(struct map *map) {
    for (u64 i = 0; i < map->value_count; i++) {
        u32 small = map->values[i].index;
        const void *key = map->key_size == 4 ? (const void *)&small : &map->values[i].index;
        if (map->key_size != 4 && map->key_size != 8) return -EINVAL;
        long error = bpf2native_rt_hash_update(map->state, key, &map->values[i].value, BPF_ANY, VALUE_ONE);
        if (error) return error;
    }
    return 0;
}

static long create(struct map *map) {
    u32 known = BPF_F_NUMA_NODE | BPF_F_ACCESS_MASK | BPF_F_ZERO_SEED | BPF_F_NO_PREALLOC;
    if (map->value_size != DESCRIPTOR || !map->key_size || !map->max_entries || map->flags & ~known) return -EINVAL;
    if (map->key_size >= ALLOCATION_MAX - 48 || map->max_entries > 1u << 31) return -E2BIG;
    map->state = bpf2native_rt_hash_create(map, map->key_size, 8, map->max_entries, 1);
    if (!map->state) return -ENOMEM;
    long error = fill(map);
    if (error) bpf2native_rt_hash_destroy(map->state);
    return error;
}

static void destroy(struct map *map) {
    bpf2native_rt_hash_destroy(map->state);
    map->state = NULL;
}

static void *lookup(struct map *map, const void *key) {
    struct hash_table *table = map->state;
    struct hash_element *element = hash_find(table, key);
    return element ? *(void **)hash_value(table, element, 0) : NULL;
}

static long user_lookup(struct map *map, const void *key, void *value, u64 flags) {
    struct map *inner = lookup(map, key);
    if (!inner) return -ENOENT;
    memcpy(value, &inner, 8);
    return 0;
}

static long update(struct map *map, const void *key, const void *value, u64 flags) {
    struct map *inner;
    memcpy(&inner, value, 8);
    if (flags > BPF_EXIST || !is_alike(map, inner)) return -EINVAL;
    return bpf2native_rt_hash_update(map->state, key, value, flags, VALUE_ONE);
}

static long remove(struct map *map, const void *key) { return bpf2native_rt_hash_remove(map->state, key, NULL); }

static long next_key(struct map *map, const void *key, void *next) {
    return bpf2native_rt_hash_next_key(map->state, key, next);
}

weak const struct map_ops bpf_map_ops_hash_of_maps = {
    .lookup = lookup, .update = update, .remove = remove, .next_key = next_key, .user_lookup = user_lookup,
    .create = create, .destroy = destroy,
};
