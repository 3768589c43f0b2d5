/* Helpers of maps: look-up, update, deletion, queues, and calls for each element, by the map's type. */
#include "maps/common.h"

/* The program's maps begin here; the translator fills it in. */
weak struct map *bpf_maps_first;

HELPER(void *, map_lookup_elem, (struct map *map, const void *key)) {
    if (map_ready(map) || unlikely(!map->ops->lookup)) return NULL;
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

HELPER(long, map_push_elem, (struct map *map, const void *value, u64 flags)) {
    long error = map_ready(map);
    if (error) return error;
    return map->ops->push ? map->ops->push(map, value, flags) : -EOPNOTSUPP;
}

HELPER(long, map_pop_elem, (struct map *map, void *value)) {
    long error = map_ready(map);
    if (error) return error;
    return map->ops->pop ? map->ops->pop(map, value) : -EOPNOTSUPP;
}

HELPER(long, map_peek_elem, (struct map *map, void *value)) {
    long error = map_ready(map);
    if (error) return error;
    return map->ops->peek ? map->ops->peek(map, value) : -EOPNOTSUPP;
}

HELPER(long, for_each_map_elem, (struct map *map, void *callback, void *context, u64 flags)) {
    long error = map_ready(map);
    if (error) return error;
    return map->ops->for_each ? map->ops->for_each(map, callback, context, flags) : -EOPNOTSUPP;
}

HELPER(void *, map_lookup_percpu_elem, (struct map *map, const void *key, u32 processor)) {
    if (map_ready(map) || !map->ops->lookup_percpu) return NULL;
    return map->ops->lookup_percpu(map, key, processor);
}
