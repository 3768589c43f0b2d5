/* Helpers 130 to 134: a program's side of a ring buffer. */
#include "maps/ring.h"

enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum { BPF_RB_AVAIL_DATA, BPF_RB_RING_SIZE, BPF_RB_CONS_POS, BPF_RB_PROD_POS };

HELPER(void *, ringbuf_reserve, (struct map *map, u64 size, u64 flags)) {
    if (flags || map_ready(map)) return NULL;
    return bpf2native_rt_ring_reserve(map->state, size);
}

/* Nobody sleeps, so that nobody is woken: the flags say nothing here. */
HELPER(void, ringbuf_submit, (void *sample, u64 flags)) { bpf2native_rt_ring_commit(sample, 0); }

HELPER(void, ringbuf_discard, (void *sample, u64 flags)) { bpf2native_rt_ring_commit(sample, RECORD_DISCARDED); }

HELPER(long, ringbuf_output, (struct map *map, const void *data, u64 size, u64 flags)) {
    if (flags & ~(u64)(BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP)) return -EINVAL;
    long error = map_ready(map);
    if (error) return error;
    void *sample = bpf2native_rt_ring_reserve(map->state, size);
    if (!sample) return -EAGAIN;
    memcpy(sample, data, size);
    bpf2native_rt_ring_commit(sample, 0);
    return 0;
}

HELPER(u64, ringbuf_query, (struct map *map, u64 what)) {
    if (map_ready(map)) return 0;
    struct ring *ring = map->state;
    u64 consumer = __atomic_load_n(&ring->consumer, __ATOMIC_ACQUIRE);
    u64 producer = __atomic_load_n(&ring->producer, __ATOMIC_ACQUIRE);
    switch (what) {
    case BPF_RB_AVAIL_DATA: return producer - consumer;
    case BPF_RB_RING_SIZE: return ring->mask + 1;
    case BPF_RB_CONS_POS: return consumer;
    case BPF_RB_PROD_POS: return producer;
    default: return 0;
    }
}
