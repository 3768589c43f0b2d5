/* Makes a map's state when it is first used, from any thread. */
#ifndef BPF2NATIVE_RUNTIME_READY_H
#define BPF2NATIVE_RUNTIME_READY_H

#include "runtime.h"

int sched_yield(void);

enum { MAP_NEW, MAP_BUSY, MAP_READY, MAP_FAILED };

/* Whether `map` may be used: 0, or the negative error of its `create`. */
static inline __attribute__((always_inline)) long map_ready(struct map *map) {
    u32 state = __atomic_load_n(&map->ready, __ATOMIC_ACQUIRE);
    if (likely(state == MAP_READY)) return 0;
    for (;;) {
        if (state == MAP_READY) return 0;
        if (state == MAP_FAILED) return map->error;
        if (state == MAP_NEW && __sync_val_compare_and_swap(&map->ready, MAP_NEW, MAP_BUSY) == MAP_NEW) {
            long error = map->ops->create ? map->ops->create(map) : 0;
            map->error = error;
            __atomic_store_n(&map->ready, error ? MAP_FAILED : MAP_READY, __ATOMIC_RELEASE);
            return error;
        }
        sched_yield();
        state = __atomic_load_n(&map->ready, __ATOMIC_ACQUIRE);
    }
}

#endif
