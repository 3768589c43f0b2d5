/* Helpers of perf event arrays: output (25), and counters (22, 55), which nothing counts here. */
#include "maps/perf_event.h"

#define BPF_F_CTXLEN_MASK 0xfffff00000000ul

enum { CTXLEN_SHIFT = 32, COUNTER_SIZE = 24 };

/* The packet of a context, if the program has contexts of the runtime. */
extern const void *bpf2native_packet(const void *context, u32 *length) weak;

/* The index that `flags` name, or a negative error. */
static long index_of(const struct map *map, u64 flags) {
    u64 index = flags & BPF_F_INDEX_MASK;
    if (index == BPF_F_CURRENT_CPU) index = this_processor();
    return index < map->max_entries ? (long)index : -E2BIG;
}

/* The event's bytes, and behind them those of the packet that `flags` ask for. */
HELPER(long, perf_event_output, (void *context, struct map *map, u64 flags, const void *data, u64 size)) {
    u64 more = (flags & BPF_F_CTXLEN_MASK) >> CTXLEN_SHIFT;
    const void *packet = NULL;
    u32 length = 0;
    if (flags & ~(BPF_F_INDEX_MASK | BPF_F_CTXLEN_MASK)) return -EINVAL;
    if (more) {
        packet = bpf2native_packet ? bpf2native_packet(context, &length) : NULL;
        if (!packet) return -EINVAL;
        if (more > length) return -EFAULT;
    }
    long error = map_ready(map);
    if (error) return error;
    long index = index_of(map, flags);
    if (index < 0) return index;
    struct perf_event *event = NULL;
    if (size <= 0xffffffff) event = bpf2native_rt_ring_reserve(map->state, sizeof *event + size + more);
    if (!event) return -ENOSPC;
    event->index = index;
    event->length = size + more;
    memcpy(event->data, data, size);
    if (more) memcpy(event->data + size, packet, more);
    bpf2native_rt_ring_commit(event, 0);
    return 0;
}

/* Entries are open for output, and not for counting. */
static long no_counter(struct map *map, u64 flags) {
    if (flags & ~BPF_F_INDEX_MASK) return -EINVAL;
    long error = map_ready(map);
    if (error) return error;
    long index = index_of(map, flags);
    return index < 0 ? index : -ENOENT;
}

HELPER(u64, perf_event_read, (struct map *map, u64 flags)) { return no_counter(map, flags); }

HELPER(long, perf_event_read_value, (struct map *map, u64 flags, void *value, u32 size)) {
    long error = size == COUNTER_SIZE ? no_counter(map, flags) : -EINVAL;
    memset(value, 0, size);
    return error;
}
