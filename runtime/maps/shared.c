/* Functions that more than one type of maps has. */
#include "maps/common.h"

/* Types that programs cannot look into. */
weak void *bpf2native_rt_map_no_lookup(struct map *map, const void *key) { return NULL; }

/* The order of arrays: ascending; an index that is none begins again. */
weak long bpf2native_rt_map_next_index(struct map *map, const void *key, void *next) {
    u32 index = key ? *(const u32 *)key : ~0u;
    if (index >= map->max_entries) index = 0;
    else if (index == map->max_entries - 1) return -ENOENT;
    else index++;
    *(u32 *)next = index;
    return 0;
}
