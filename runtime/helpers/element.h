/* The element of a map that a timer or a work queue is in: what their callbacks are called with. */
#ifndef BPF2NATIVE_RUNTIME_ELEMENT_H
#define BPF2NATIVE_RUNTIME_ELEMENT_H

#include "maps/common.h"

/* Where the value starts that has `field` in it, which is of this kind. */
static inline void *element_value(const struct map *map, u32 kind, void *field)
{
    for (u32 i = 0; i < map->field_count; i++)
        if (map->fields[i].kind == kind)
            return (char *)field - map->fields[i].offset;
    return field;
}

/* The key of `value`, in memory that the caller frees; NULL if no element has it. It is looked for from the first key
   on: a key's place beside its value is the map type's own affair, and a callback is no hot path. */
static inline void *element_key(struct map *map, void *value)
{
    char *keys = calloc(2, map->key_size);
    if (!keys)
        return NULL;
    char *key = keys, *last = NULL;
    while (map->ops->next_key && map->ops->next_key(map, last, key) == 0) {
        if (map->ops->lookup(map, key) == value) {
            if (key != keys)
                memcpy(keys, key, map->key_size);
            return keys;
        }
        last = key;
        key = key == keys ? keys + map->key_size : keys;
    }
    free(keys);
    return NULL;
}

#endif
