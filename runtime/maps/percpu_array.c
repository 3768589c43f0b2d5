/* BPF_MAP_TYPE_PERCPU_ARRAY: an array for each processor, one after the other. */
#include "maps/common.h"

static u64 stride(const struct map *map) { return round8(map->value_size); }

static void *at(const struct map *map, u32 index, u32 processor) {
    return (char *)map->state + ((u64)processor * map->max_entries + index) * stride(map);
}

static long create(struct map *map) {
    u32 known = BPF_F_NUMA_NODE | BPF_F_ACCESS_MASK;
    if (map->key_size != 4 || !map->value_size || !map->max_entries || map->flags & ~known) return -EINVAL;
    /* The kernel places per-CPU memory itself: it refuses a node, and the flag is there only together with one. */
    if (map->flags & BPF_F_NUMA_NODE) return -EINVAL;
    if (map->value_size > PERCPU_VALUE_MAX) return -E2BIG;
    map->state = calloc((u64)map->max_entries * PROCESSORS, stride(map));
    return map->state ? 0 : -ENOMEM;
}

static void destroy(struct map *map) {
    free(map->state);
    map->state = NULL;
}

static void *lookup_percpu(struct map *map, const void *key, u32 processor) {
    u32 index = *(const u32 *)key;
    return index < map->max_entries && processor < PROCESSORS ? at(map, index, processor) : NULL;
}

static void *lookup(struct map *map, const void *key) {
    u32 index = *(const u32 *)key;
    return likely(index < map->max_entries) ? at(map, index, this_processor()) : NULL;
}

/* Whether an update with `flags` is possible: 0, or a negative error. */
static long may_update(const struct map *map, const void *key, u64 flags) {
    if (flags > BPF_EXIST) return -EINVAL;
    if (*(const u32 *)key >= map->max_entries) return -E2BIG;
    return flags == BPF_NOEXIST ? -EEXIST : 0;
}

static long update(struct map *map, const void *key, const void *value, u64 flags) {
    if ((flags & ~(u64)BPF_F_LOCK) > BPF_EXIST) return -EINVAL;
    long error = may_update(map, key, flags & ~(u64)BPF_F_LOCK);
    if (error) return error;
    /* Values of per-CPU maps cannot have locks. */
    if (flags & BPF_F_LOCK) return -EINVAL;
    void *element = lookup(map, key);
    copy_value(map, element, value);
    free_fields(map, element);
    return 0;
}

static long user_update(struct map *map, const void *key, const void *value, u64 flags) {
    long error = may_update(map, key, flags);
    if (error) return error;
    for (u32 i = 0; i < PROCESSORS; i++) {
        void *element = at(map, *(const u32 *)key, i);
        copy_value(map, element, (const char *)value + i * stride(map));
        free_fields(map, element);
    }
    return 0;
}

static long user_lookup(struct map *map, const void *key, void *value, u64 flags) {
    u32 index = *(const u32 *)key;
    if (index >= map->max_entries) return -ENOENT;
    for (u32 i = 0; i < PROCESSORS; i++) {
        void *copy = (char *)value + i * stride(map);
        memcpy(copy, at(map, index, i), stride(map));
        clear_fields(map, copy);
    }
    return 0;
}

static long remove(struct map *map, const void *key) { return -EINVAL; }

static long for_each(struct map *map, void *callback, void *context, u64 flags) {
    if (flags) return -EINVAL;
    u32 done = 0, processor = this_processor();
    while (done < map->max_entries) {
        u32 key = done++;
        if (((map_callback)callback)(map, &key, at(map, key, processor), context)) break;
    }
    return done;
}

weak const struct map_ops bpf_map_ops_percpu_array = {
    .lookup = lookup, .update = update, .remove = remove, .next_key = bpf2native_rt_map_next_index, .for_each = for_each,
    .user_lookup = user_lookup, .user_update = user_update, .create = create, .destroy = destroy,
    .lookup_percpu = lookup_percpu,
};

/* What calls of helpers call for arrays that programs name (src/select/map_calls.rs). */

weak void *bpf2native_rt_lookup_percpu_array(struct map *map, const void *key) {
    return map_ready(map) ? NULL : lookup(map, key);
}

weak long bpf2native_rt_update_percpu_array(struct map *map, const void *key, const void *value, u64 flags) {
    long error = map_ready(map);
    return error ? error : update(map, key, value, flags);
}
