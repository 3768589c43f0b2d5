/* Rings of records, as ring buffers have them: positions only grow, and a record is one piece. The kernel maps a ring's pages
   twice so that a record may go past its end; here the memory is twice as large, and what is behind the end belongs to the
   record that began before it. */
#ifndef BPF2NATIVE_RUNTIME_RING_H
#define BPF2NATIVE_RUNTIME_RING_H

#include "maps/common.h"

struct ring {
    u64 consumer; /* positions, in bytes */
    u64 producer;
    u64 pending;  /* before it, all records are written */
    u64 held;     /* the length of the record that the consumer looks at */
    u32 word;     /* the producers' lock */
    u32 busy;     /* whether a consumer is at work */
    u64 mask;     /* the size - 1 */
    char data[];
};

/* What is before a record. */
struct ring_record {
    u32 length; /* in bytes, and RECORD_* */
    u32 back;   /* from the ring to here, in units of 8 bytes */
    char data[];
};

enum { RECORD_DISCARDED = 1 << 30 };
#define RECORD_BUSY (1u << 31)

/* A ring of `size` bytes, a power of two from 8 on; NULL: no memory. */
struct ring *bpf2native_rt_ring_create(u64 size);
/* Room for a record of `size` bytes, that is not to be read yet; NULL if there is none. */
void *bpf2native_rt_ring_reserve(struct ring *ring, u64 size);
/* Ends a reservation: it is read, or (RECORD_DISCARDED) passed over. */
void bpf2native_rt_ring_commit(void *data, u32 discarded);
/* Frees the record of the last call, and gives the next one; NULL if there is none, or it is not written yet. One consumer. */
void *bpf2native_rt_ring_next(struct ring *ring, u32 *length);

#endif
