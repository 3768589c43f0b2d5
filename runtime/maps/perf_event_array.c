/* BPF_MAP_TYPE_PERF_EVENT_ARRAY: what programs put out, for all processors in one ring, so that their order is known. Each
   entry is open, as loaders open them. */
#include "maps/perf_event.h"

/* What is kept for a reader: more is -ENOSPC. */
enum { RING = 1 << 20 };

static long create(struct map *map) {
    /* Loaders make as many entries as there are processors where a definition says nothing. */
    if (!map->max_entries) map->max_entries = PROCESSORS;
    u32 known = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_PRESERVE_ELEMS;
    if (map->key_size != 4 || map->value_size != 4 || map->flags & ~known) return -EINVAL;
    map->state = bpf2native_rt_ring_create(RING);
    return map->state ? 0 : -ENOMEM;
}

static void destroy(struct map *map) {
    free(map->state);
    map->state = NULL;
}

static long user_lookup(struct map *map, const void *key, void *value, u64 flags) { return -ENOTSUPP; }

weak const struct map_ops bpf_map_ops_perf_event_array = {
    .lookup = bpf2native_rt_map_no_lookup, .next_key = bpf2native_rt_map_next_index, .user_lookup = user_lookup,
    .create = create, .destroy = destroy,
};
