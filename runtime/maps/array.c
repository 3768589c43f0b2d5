/* BPF_MAP_TYPE_ARRAY: elements side by side, each rounded up to 8 bytes. */
#include "runtime.h"

void *calloc(u64 count, u64 size);
void free(void *memory);
void *memcpy(void *to, const void *from, u64 size);

enum { BPF_ANY, BPF_NOEXIST, BPF_EXIST };

static u64 stride(const struct map *map) { return (map->value_size + 7ul) & ~7ul; }

static long create(struct map *map) {
    if (map->key_size != 4 || !map->value_size || !map->max_entries) return -EINVAL;
    map->state = calloc(map->max_entries, stride(map));
    return map->state ? 0 : -ENOMEM;
}

static void destroy(struct map *map) {
    free(map->state);
    map->state = NULL;
}

static void *lookup(struct map *map, const void *key) {
    u32 index = *(const u32 *)key;
    return index < map->max_entries ? (char *)map->state + index * stride(map) : NULL;
}

static long update(struct map *map, const void *key, const void *value, u64 flags) {
    if (flags > BPF_EXIST) return -EINVAL;
    void *element = lookup(map, key);
    if (!element) return -E2BIG;
    if (flags == BPF_NOEXIST) return -EEXIST;
    memcpy(element, value, map->value_size);
    return 0;
}

static long remove(struct map *map, const void *key) { return -EINVAL; }

static long next_key(struct map *map, const void *key, void *next) {
    u32 index = key ? *(const u32 *)key : ~0u;
    if (index >= map->max_entries) index = 0;
    else if (index == map->max_entries - 1) return -ENOENT;
    else index++;
    *(u32 *)next = index;
    return 0;
}

weak const struct map_ops bpf_map_ops_array = {
    .lookup = lookup, .update = update, .remove = remove, .next_key = next_key, .create = create, .destroy = destroy,
};
