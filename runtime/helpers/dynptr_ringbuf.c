/* Dynptrs of records of ring buffers. In: a ring buffer, whose own helpers reserve and submit. Out: a dynptr; one that is
   not valid where there is no room, which has to be given back all the same. */
#include "helpers/dynptr.h"

extern void *bpf_ringbuf_reserve(struct map *, u64, u64) __asm__("bpf_helper_ringbuf_reserve");
extern void bpf_ringbuf_submit(void *, u64) __asm__("bpf_helper_ringbuf_submit");
extern void bpf_ringbuf_discard(void *, u64) __asm__("bpf_helper_ringbuf_discard");

HELPER(long, ringbuf_reserve_dynptr, (struct map *map, u32 size, u64 flags, struct dynptr *to))
{
    dynptr_clear(to);
    if (flags)
        return -EINVAL;
    if (size > DYNPTR_MAX)
        return -E2BIG;
    void *record = bpf_ringbuf_reserve(map, size, 0);
    if (!record)
        return -EINVAL;
    dynptr_set(to, record, DYNPTR_RINGBUF, size);
    return 0;
}

HELPER(void, ringbuf_submit_dynptr, (struct dynptr *dynptr, u64 flags))
{
    if (dynptr->data)
        bpf_ringbuf_submit(dynptr->data, flags);
    dynptr_clear(dynptr);
}

HELPER(void, ringbuf_discard_dynptr, (struct dynptr *dynptr, u64 flags))
{
    if (dynptr->data)
        bpf_ringbuf_discard(dynptr->data, flags);
    dynptr_clear(dynptr);
}
