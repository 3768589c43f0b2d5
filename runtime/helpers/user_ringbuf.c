/* Helper 209: a program drains what was written into a user ring buffer. */
#include "maps/ring.h"

enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };

/* Samples of one call, as in the kernel. */
enum { SAMPLES_MAX = 128 * 1024 };

/* What the callback is given: the kernel's struct bpf_dynptr_kern, of memory (helpers/dynptr.h). */
struct sample {
    void *data;
    u32 size;
    u32 offset;
};

enum { DYNPTR_LOCAL = 1 << 28, DYNPTR_MAX = (1 << 24) - 1 };

typedef int (*sample_callback)(struct sample *sample, void *context);

static long drain(struct ring *ring, sample_callback callback, void *context) {
    long samples = 0;
    u32 length;
    for (void *data; samples < SAMPLES_MAX && (data = bpf2native_rt_ring_next(ring, &length));) {
        if (length > DYNPTR_MAX) return -E2BIG;
        struct sample sample = {data, length | DYNPTR_LOCAL, 0};
        samples++;
        if (callback(&sample, context)) break;
    }
    /* The last one is free, too. */
    ring->consumer += ring->held;
    ring->held = 0;
    return samples;
}

HELPER(long, user_ringbuf_drain, (struct map *map, void *callback, void *context, u64 flags)) {
    if (flags & ~(u64)(BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP)) return -EINVAL;
    long error = map_ready(map);
    if (error) return error;
    struct ring *ring = map->state;
    if (!__sync_bool_compare_and_swap(&ring->busy, 0, 1)) return -EBUSY;
    long samples = drain(ring, callback, context);
    __atomic_store_n(&ring->busy, 0, __ATOMIC_RELEASE);
    return samples;
}
