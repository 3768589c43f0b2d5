/* Makes a map's state when it is first used, from any thread. */
#ifndef BPF2NATIVE_RUNTIME_READY_H
#define BPF2NATIVE_RUNTIME_READY_H

#include "runtime.h"

int sched_yield(void);

/* `ready` of struct map. */
enum { MAP_NEW, MAP_BUSY, MAP_READY, MAP_FAILED };

/* What is done when a map is not ready (maps/ready.c): 0, or the negative error of its `create`. */
long bpf2native_rt_map_make(struct map *map);

static forced_inline int is_made(const struct map *map) {
    return __atomic_load_n(&map->ready, __ATOMIC_ACQUIRE) == MAP_READY;
}

/* Whether `map` may be used: 0, or a negative error. Small, so that it is inlined where maps are used. */
static forced_inline long map_ready(struct map *map) {
    return likely(is_made(map)) ? 0 : bpf2native_rt_map_make(map);
}

#endif
