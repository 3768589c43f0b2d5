/* The ring of ring buffers, perf events and user ring buffers (maps/ring.h has what it is). */
#include "maps/ring.h"

/* As in the kernel: longer ones would not leave room for the flags. */
enum { RECORD_MAX = 0xffffffffu / 4 };

weak struct ring *bpf2native_rt_ring_create(u64 size) {
    struct ring *ring = calloc(1, sizeof *ring + 2 * size);
    if (ring) ring->mask = size - 1;
    return ring;
}

static struct ring_record *record_at(struct ring *ring, u64 position) {
    return (struct ring_record *)(ring->data + (position & ring->mask));
}

static u64 size_of(u32 length) { return round8((length & ~RECORD_BUSY & ~RECORD_DISCARDED) + sizeof(struct ring_record)); }

/* With the lock. What is not committed stays, so a new record must not come around to it. */
static void pass_written(struct ring *ring) {
    while (ring->pending < ring->producer) {
        u32 length = __atomic_load_n(&record_at(ring, ring->pending)->length, __ATOMIC_ACQUIRE);
        if (length & RECORD_BUSY) break;
        ring->pending += size_of(length);
    }
}

weak void *bpf2native_rt_ring_reserve(struct ring *ring, u64 size) {
    if (size > RECORD_MAX || size_of(size) > ring->mask + 1) return NULL;
    struct ring_record *record = NULL;
    lock(&ring->word);
    u64 consumer = __atomic_load_n(&ring->consumer, __ATOMIC_ACQUIRE), end = ring->producer + size_of(size);
    pass_written(ring);
    if (end - consumer <= ring->mask && end - ring->pending <= ring->mask) {
        record = record_at(ring, ring->producer);
        record->length = size | RECORD_BUSY;
        record->back = (u64)((char *)record - (char *)ring) / 8;
        __atomic_store_n(&ring->producer, end, __ATOMIC_RELEASE);
    }
    unlock(&ring->word);
    return record ? record->data : NULL;
}

weak void bpf2native_rt_ring_commit(void *data, u32 discarded) {
    struct ring_record *record = container_of(data, struct ring_record, data);
    __atomic_store_n(&record->length, (record->length & ~RECORD_BUSY) | discarded, __ATOMIC_RELEASE);
}

weak void *bpf2native_rt_ring_next(struct ring *ring, u32 *length) {
    for (;;) {
        u64 position = ring->consumer + ring->held;
        ring->held = 0;
        __atomic_store_n(&ring->consumer, position, __ATOMIC_RELEASE);
        if (position == __atomic_load_n(&ring->producer, __ATOMIC_ACQUIRE)) return NULL;
        struct ring_record *record = record_at(ring, position);
        u32 found = __atomic_load_n(&record->length, __ATOMIC_ACQUIRE);
        if (found & RECORD_BUSY) return NULL;
        ring->held = size_of(found);
        if (found & RECORD_DISCARDED) continue;
        *length = found;
        return record->data;
    }
}
