/* BPF_MAP_TYPE_RINGBUF: records from a program, in the order of their reservation. It has no keys. */
#include "maps/ring.h"

static long create(struct map *map) {
    if (map->flags & ~BPF_F_NUMA_NODE || map->key_size || map->value_size || !is_power_of_two(map->max_entries) ||
        map->max_entries % PAGE)
        return -EINVAL;
    map->state = bpf2native_rt_ring_create(map->max_entries);
    return map->state ? 0 : -ENOMEM;
}

static void destroy(struct map *map) {
    free(map->state);
    map->state = NULL;
}

static long user_lookup(struct map *map, const void *key, void *value, u64 flags) { return -ENOTSUPP; }
static long update(struct map *map, const void *key, const void *value, u64 flags) { return -ENOTSUPP; }
static long remove(struct map *map, const void *key) { return -ENOTSUPP; }
static long next_key(struct map *map, const void *key, void *next) { return -ENOTSUPP; }

weak const struct map_ops bpf_map_ops_ringbuf = {
    .lookup = bpf2native_rt_map_no_lookup, .update = update, .remove = remove, .next_key = next_key,
    .user_lookup = user_lookup, .create = create, .destroy = destroy,
};

/* The other direction: what a test writes, and a program drains (helpers/user_ringbuf.c). */
weak const struct map_ops bpf_map_ops_user_ringbuf = {
    .lookup = bpf2native_rt_map_no_lookup, .update = update, .remove = remove, .next_key = next_key,
    .user_lookup = user_lookup, .create = create, .destroy = destroy,
};
