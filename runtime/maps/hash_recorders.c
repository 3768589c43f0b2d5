/* Hashes of where packets and sockets may go: BPF_MAP_TYPE_DEVMAP_HASH and _SOCKHASH (maps/recorders.c has the arrays). */
#include "maps/hash.h"

enum { KEY_MAX = 512 };

static long create_with(struct map *map, u32 flags) {
    if (!map->max_entries || !map->key_size || map->flags & ~flags) return -EINVAL;
    if (map->value_size != 4 && map->value_size != 8) return -EINVAL;
    if (map->max_entries > 1u << 31) return -EINVAL;
    map->state = bpf2native_rt_hash_create(map, map->key_size, map->value_size, map->max_entries, 1);
    return map->state ? 0 : -ENOMEM;
}

static long create_devmap(struct map *map) {
    return map->key_size == 4 ? create_with(map, BPF_F_NUMA_NODE | BPF_F_ACCESS_MASK) : -EINVAL;
}

static long create_sockhash(struct map *map) {
    if (map->key_size > KEY_MAX) return -E2BIG;
    return create_with(map, BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY);
}

static void destroy(struct map *map) {
    bpf2native_rt_hash_destroy(map->state);
    map->state = NULL;
}

static void *lookup(struct map *map, const void *key) {
    struct hash_table *table = map->state;
    struct hash_element *element = hash_find(table, key);
    return element ? hash_value(table, element, 0) : NULL;
}

/* The kernel does not look whether BPF_EXIST holds. */
static long update_devmap(struct map *map, const void *key, const void *value, u64 flags) {
    if (flags > BPF_EXIST || !*(const u32 *)value) return -EINVAL;
    return bpf2native_rt_hash_update(map->state, key, value, flags & BPF_NOEXIST, VALUE_ONE);
}

static long update_sockhash(struct map *map, const void *key, const void *value, u64 flags) {
    if (flags > BPF_EXIST) return -EINVAL;
    return bpf2native_rt_hash_update(map->state, key, value, flags, VALUE_ONE);
}

static long remove(struct map *map, const void *key) { return bpf2native_rt_hash_remove(map->state, key, NULL); }

static long next_key(struct map *map, const void *key, void *next) {
    return bpf2native_rt_hash_next_key(map->state, key, next);
}

weak const struct map_ops bpf_map_ops_devmap_hash = {
    .lookup = lookup, .update = update_devmap, .remove = remove, .next_key = next_key,
    .create = create_devmap, .destroy = destroy,
};

weak const struct map_ops bpf_map_ops_sockhash = {
    .lookup = lookup, .update = update_sockhash, .remove = remove, .next_key = next_key,
    .create = create_sockhash, .destroy = destroy,
};
