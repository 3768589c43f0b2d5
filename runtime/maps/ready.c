/* The first use of a map. One thread runs `create`, the others wait for it. */
#include "maps/common.h"

/* The flags that every type refuses, whatever else it takes. */
static int contradictory(u32 flags) {
    return (flags & (BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG)) == (BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG) ||
           (flags & (BPF_F_RDONLY | BPF_F_WRONLY)) == (BPF_F_RDONLY | BPF_F_WRONLY);
}

static long create(struct map *map) {
    if (contradictory(map->flags)) return -EINVAL;
    return map->ops->create ? map->ops->create(map) : 0;
}

weak long bpf2native_rt_map_make(struct map *map) {
    for (;;) {
        u32 ready = __atomic_load_n(&map->ready, __ATOMIC_ACQUIRE);
        if (ready == MAP_READY) return 0;
        if (ready == MAP_FAILED) return map->error;
        if (ready == MAP_NEW && __sync_bool_compare_and_swap(&map->ready, MAP_NEW, MAP_BUSY)) {
            long error = create(map);
            map->error = error;
            __atomic_store_n(&map->ready, error ? MAP_FAILED : MAP_READY, __ATOMIC_RELEASE);
            return error;
        }
        sched_yield();
    }
}
