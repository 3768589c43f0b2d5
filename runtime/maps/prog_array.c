/* BPF_MAP_TYPE_PROG_ARRAY, _ARRAY_OF_MAPS and _CGROUP_ARRAY: arrays of addresses, which a definition fills in or a test. */
#include "maps/values.h"

static u64 *slots(const struct map *map) { return map->state; }

static long create(struct map *map) {
    u32 known = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY;
    if (map->key_size != 4 || map->value_size != DESCRIPTOR || !map->max_entries || map->flags & ~known)
        return -EINVAL;
    map->state = calloc(map->max_entries, 8);
    if (!map->state) return -ENOMEM;
    for (u64 i = 0; i < map->value_count; i++) {
        if (map->values[i].index >= map->max_entries) {
            free(map->state);
            return -E2BIG;
        }
        slots(map)[map->values[i].index] = (u64)map->values[i].value;
    }
    return 0;
}

static void destroy(struct map *map) {
    free(map->state);
    map->state = NULL;
}

/* Where the address is, if there is one. */
static void *lookup(struct map *map, const void *key) {
    u32 index = *(const u32 *)key;
    return index < map->max_entries && read_once(slots(map)[index]) ? &slots(map)[index] : NULL;
}

static long user_lookup(struct map *map, const void *key, void *value, u64 flags) {
    const u64 *slot = lookup(map, key);
    if (!slot) return -ENOENT;
    memcpy(value, slot, 8);
    return 0;
}

static long update(struct map *map, const void *key, const void *value, u64 flags) {
    u32 index = *(const u32 *)key;
    u64 address;
    if (flags != BPF_ANY) return -EINVAL;
    if (index >= map->max_entries) return -E2BIG;
    memcpy(&address, value, 8);
    if (!address) return -EINVAL;
    __atomic_store_n(&slots(map)[index], address, __ATOMIC_RELEASE);
    return 0;
}

static long remove(struct map *map, const void *key) {
    u32 index = *(const u32 *)key;
    if (index >= map->max_entries) return -E2BIG;
    return __sync_lock_test_and_set(&slots(map)[index], 0) ? 0 : -ENOENT;
}

weak const struct map_ops bpf_map_ops_prog_array = {
    .lookup = lookup, .update = update, .remove = remove, .next_key = bpf2native_rt_map_next_index,
    .user_lookup = user_lookup, .create = create, .destroy = destroy,
};

weak const struct map_ops bpf_map_ops_cgroup_array = {
    .lookup = lookup, .update = update, .remove = remove, .next_key = bpf2native_rt_map_next_index,
    .user_lookup = user_lookup, .create = create, .destroy = destroy,
};

/* A program that looks up gets the inner map itself. */
static void *lookup_map(struct map *map, const void *key) {
    u32 index = *(const u32 *)key;
    return index < map->max_entries ? (void *)read_once(slots(map)[index]) : NULL;
}

static long update_map(struct map *map, const void *key, const void *value, u64 flags) {
    u64 address;
    memcpy(&address, value, 8);
    if (flags == BPF_ANY && *(const u32 *)key < map->max_entries && !is_alike(map, (struct map *)address))
        return -EINVAL;
    return update(map, key, value, flags);
}

weak const struct map_ops bpf_map_ops_array_of_maps = {
    .lookup = lookup_map, .update = update_map, .remove = remove, .next_key = bpf2native_rt_map_next_index,
    .user_lookup = user_lookup, .create = create, .destroy = destroy,
};
