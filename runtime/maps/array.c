/* BPF_MAP_TYPE_ARRAY: elements side by side, each rounded up to 8 bytes. */
#include "maps/common.h"

static u64 stride(const struct map *map) { return round8(map->value_size); }

static long create(struct map *map) {
    u32 known = BPF_F_NUMA_NODE | BPF_F_MMAPABLE | BPF_F_ACCESS_MASK | BPF_F_INNER_MAP;
    if (map->key_size != 4 || !map->value_size || !map->max_entries || map->flags & ~known) return -EINVAL;
    if (map->value_size > 0x7fffffff) return -E2BIG;
    map->state = calloc(map->max_entries, stride(map));
    return map->state ? 0 : -ENOMEM;
}

static void destroy(struct map *map) {
    for (u32 i = 0; map->field_count && i < map->max_entries; i++)
        free_fields(map, (char *)map->state + i * stride(map));
    free(map->state);
    map->state = NULL;
}

static void *lookup(struct map *map, const void *key) {
    u32 index = *(const u32 *)key;
    return likely(index < map->max_entries) ? (char *)map->state + index * stride(map) : NULL;
}

static long update(struct map *map, const void *key, const void *value, u64 flags) {
    if ((flags & ~(u64)BPF_F_LOCK) > BPF_EXIST) return -EINVAL;
    void *element = lookup(map, key);
    if (!element) return -E2BIG;
    if (flags & BPF_NOEXIST) return -EEXIST;
    if (flags & BPF_F_LOCK && !has_lock(map)) return -EINVAL;
    copy_value_by(map, element, value, element, flags);
    free_fields(map, element);
    return 0;
}

static long remove(struct map *map, const void *key) { return -EINVAL; }

static long for_each(struct map *map, void *callback, void *context, u64 flags) {
    if (flags) return -EINVAL;
    u32 done = 0;
    while (done < map->max_entries) {
        u32 key = done++;
        if (((map_callback)callback)(map, &key, (char *)map->state + key * stride(map), context)) break;
    }
    return done;
}

weak const struct map_ops bpf_map_ops_array = {
    .lookup = lookup, .update = update, .remove = remove, .next_key = bpf2native_rt_map_next_index, .for_each = for_each,
    .create = create, .destroy = destroy,
};

/* The value that a struct_ops map holds is a table of functions: an array of one. */
weak const struct map_ops bpf_map_ops_struct_ops = {
    .lookup = lookup, .update = update, .remove = remove, .next_key = bpf2native_rt_map_next_index,
    .create = create, .destroy = destroy,
};

/* What calls of helpers call for arrays that programs name (src/select/map_calls.rs): look-ups by the distance of elements. */

static never_inline void *lookup_of_new(struct map *map, const void *key) { return map_ready(map) ? NULL : lookup(map, key); }

#define LOOKUP(suffix, stride)                                                         \
    weak void *bpf2native_rt_lookup_array##suffix(struct map *map, const void *key) {  \
        if (unlikely(!is_made(map))) return lookup_of_new(map, key);                   \
        u32 index = *(const u32 *)key;                                                 \
        return likely(index < map->max_entries) ? (char *)map->state + index * (stride) : NULL; \
    }
LOOKUP(_8, 8ul)
LOOKUP(_16, 16ul)
LOOKUP(_24, 24ul)
LOOKUP(_32, 32ul)
LOOKUP(_64, 64ul)
LOOKUP(, stride(map))

weak long bpf2native_rt_update_array(struct map *map, const void *key, const void *value, u64 flags) {
    long error = map_ready(map);
    return error ? error : update(map, key, value, flags);
}
