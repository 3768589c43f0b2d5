/* Who reads what programs put out, and writes what they drain. */
#include "maps/perf_event.h"
#include "bpf2native_runtime.h"

/* enum bpf_map_type: nothing else says whether a map's state is a ring. */
enum { PERF_EVENT_ARRAY = 4, RINGBUF = 27, USER_RINGBUF = 31 };

static struct ring *ring_of(struct map *map, u32 type) { return map->type == type && !map_ready(map) ? map->state : NULL; }

API(const void *, bpf2native_ring_next, (void *map, u32 *length)) {
    struct ring *ring = ring_of(map, RINGBUF);
    u32 unasked;
    return ring ? bpf2native_rt_ring_next(ring, length ? length : &unasked) : NULL;
}

API(const void *, bpf2native_perf_next, (void *map, u32 *index, u32 *length)) {
    struct ring *ring = ring_of(map, PERF_EVENT_ARRAY);
    u32 whole;
    struct perf_event *event = ring ? bpf2native_rt_ring_next(ring, &whole) : NULL;
    if (!event) return NULL;
    if (index) *index = event->index;
    if (length) *length = event->length;
    return event->data;
}

API(long, bpf2native_user_ring_write, (void *map, const void *data, u32 length)) {
    struct ring *ring = ring_of(map, USER_RINGBUF);
    if (!ring) return -EINVAL;
    void *record = bpf2native_rt_ring_reserve(ring, length);
    if (!record) return -ENOSPC;
    memcpy(record, data, length);
    bpf2native_rt_ring_commit(record, 0);
    return 0;
}
