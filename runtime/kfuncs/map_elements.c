/* bpf_map_sum_elem_count: how many elements a hash has. In: a map. Out: that number; 0 for types of which the kernel does not
   count them, which are all that are no hash table of values or maps. */
#include "maps/hash.h"

enum { TYPE_HASH = 1, TYPE_PERCPU_HASH = 5, TYPE_LRU_HASH = 9, TYPE_LRU_PERCPU_HASH = 10, TYPE_HASH_OF_MAPS = 13 };

KFUNC(s64, bpf_map_sum_elem_count, (struct map *map))
{
    u32 counted = map->type == TYPE_HASH || map->type == TYPE_PERCPU_HASH || map->type == TYPE_LRU_HASH ||
                  map->type == TYPE_LRU_PERCPU_HASH || map->type == TYPE_HASH_OF_MAPS;
    if (!counted || map_ready(map))
        return 0;
    const struct hash_table *table = map->state;
    return read_once(table->live);
}
