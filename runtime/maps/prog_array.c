/* BPF_MAP_TYPE_PROG_ARRAY: the addresses of functions. */
#include "runtime.h"

void *calloc(u64 count, u64 size);
void free(void *memory);

static long create(struct map *map) {
    if (map->key_size != 4 || map->value_size != 4 || !map->max_entries) return -EINVAL;
    void **functions = calloc(map->max_entries, sizeof(void *));
    if (!functions) return -ENOMEM;
    for (u64 i = 0; i < map->value_count; i++)
        if (map->values[i].index < map->max_entries) functions[map->values[i].index] = map->values[i].value;
    map->state = functions;
    return 0;
}

static void destroy(struct map *map) {
    free(map->state);
    map->state = NULL;
}

/* The address of the element. */
static void *lookup(struct map *map, const void *key) {
    u32 index = *(const u32 *)key;
    return index < map->max_entries ? (void **)map->state + index : NULL;
}

weak const struct map_ops bpf_map_ops_prog_array = { .lookup = lookup, .create = create, .destroy = destroy };
