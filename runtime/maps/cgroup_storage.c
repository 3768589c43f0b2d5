/* BPF_MAP_TYPE_CGROUP_STORAGE and _PERCPU_CGROUP_STORAGE: a value for the cgroup that a program is attached to. There is one
   such here, so a map is one value, whatever the key (or one for each processor). */
#include "maps/common.h"

static u32 values_of(const struct map *map) { return map->ops->lookup_percpu ? PROCESSORS : 1; }

static long create(struct map *map) {
    u32 known = BPF_F_NUMA_NODE | BPF_F_ACCESS_MASK;
    /* struct bpf_cgroup_storage_key, or the id of a cgroup alone. */
    if ((map->key_size != 16 && map->key_size != 8) || !map->value_size || map->flags & ~known || map->max_entries)
        return -EINVAL;
    if (map->value_size > (values_of(map) == 1 ? STORAGE_VALUE_MAX : PERCPU_VALUE_MAX)) return -E2BIG;
    map->state = calloc(values_of(map), round8(map->value_size));
    return map->state ? 0 : -ENOMEM;
}

static void destroy(struct map *map) {
    free(map->state);
    map->state = NULL;
}

static void *value_at(const struct map *map, u32 processor) {
    return (char *)map->state + processor * round8(map->value_size);
}

static void *lookup(struct map *map, const void *key) { return map->state; }

static void *lookup_of(struct map *map, const void *key, u32 processor) {
    return processor < PROCESSORS ? value_at(map, processor) : NULL;
}

static void *lookup_percpu(struct map *map, const void *key) { return value_at(map, this_processor()); }

static long user_lookup(struct map *map, const void *key, void *value, u64 flags) {
    for (u32 i = 0; i < values_of(map); i++) {
        void *to = (char *)value + i * round8(map->value_size), *from = value_at(map, i);
        copy_value_by(map, to, from, from, flags);
        clear_fields(map, to);
    }
    return 0;
}

static long update(struct map *map, const void *key, const void *value, u64 flags) {
    if (flags & ~(u64)(BPF_F_LOCK | BPF_EXIST)) return -EINVAL;
    if (flags & BPF_F_LOCK && !has_lock(map)) return -EINVAL;
    for (u32 i = 0; i < values_of(map); i++) {
        void *to = value_at(map, i);
        copy_value_by(map, to, (const char *)value + i * round8(map->value_size), to, flags);
    }
    return 0;
}

static long update_percpu(struct map *map, const void *key, const void *value, u64 flags) {
    return flags == BPF_ANY || flags == BPF_EXIST ? update(map, key, value, flags) : -EINVAL;
}

static long remove(struct map *map, const void *key) { return -EINVAL; }

/* The one key is zeros. */
static long next_key(struct map *map, const void *key, void *next) {
    if (key) return -ENOENT;
    memset(next, 0, map->key_size);
    return 0;
}

weak const struct map_ops bpf_map_ops_cgroup_storage = {
    .lookup = lookup, .update = update, .remove = remove, .next_key = next_key, .user_lookup = user_lookup,
    .create = create, .destroy = destroy,
};

weak const struct map_ops bpf_map_ops_percpu_cgroup_storage = {
    .lookup = lookup_percpu, .update = update_percpu, .remove = remove, .next_key = next_key,
    .user_lookup = user_lookup, .create = create, .destroy = destroy, .lookup_percpu = lookup_of,
};

/* Helper 81. */
HELPER(void *, get_local_storage, (struct map *map, u64 flags)) {
    return map_ready(map) ? NULL : map->ops->lookup(map, NULL);
}
