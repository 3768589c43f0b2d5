/* Maps of what a loader gives by a descriptor, and the runtime by an address: functions (BPF_MAP_TYPE_PROG_ARRAY) and maps
   (array and hash of maps). For all who are outside of the program their values are addresses, 8 bytes. */
#ifndef BPF2NATIVE_RUNTIME_VALUES_H
#define BPF2NATIVE_RUNTIME_VALUES_H

#include "maps/common.h"

/* The value size that definitions say: a descriptor's. */
enum { DESCRIPTOR = 4 };

/* Whether `inner` may be an element: it has to be as the elements are said to be. */
static inline int is_alike(const struct map *outer, const struct map *inner) {
    const struct map *like = outer->inner;
    if (!inner) return 0;
    if (!like) return 1;
    if (like->type != inner->type || like->key_size != inner->key_size || like->value_size != inner->value_size ||
        like->flags != inner->flags || like->field_count != inner->field_count)
        return 0;
    /* The kernel writes the bound of an array into programs, unless its flag says that inner arrays differ. */
    return inner->ops != like->ops || like->type != 2 /* BPF_MAP_TYPE_ARRAY */ || like->flags & BPF_F_INNER_MAP ||
           like->max_entries == inner->max_entries;
}

#endif
