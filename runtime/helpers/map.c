/* Helpers 1, 2 and 3: look-up, update and deletion, by the map's type. */
#include "runtime.h"
#include "maps/ready.h"

/* The program's maps begin here; the translator fills it in. */
weak struct map *bpf_maps_first;

HELPER(void *, map_lookup_elem, (struct map *map, const void *key)) {
    if (map_ready(map) || !map->ops->lookup) return NULL;
    return map->ops->lookup(map, key);
}

HELPER(long, map_update_elem, (struct map *map, const void *key, const void *value, u64 flags)) {
    long error = map_ready(map);
    if (error) return error;
    return map->ops->update ? map->ops->update(map, key, value, flags) : -EOPNOTSUPP;
}

HELPER(long, map_delete_elem, (struct map *map, const void *key)) {
    long error = map_ready(map);
    if (error) return error;
    return map->ops->remove ? map->ops->remove(map, key) : -EOPNOTSUPP;
}
