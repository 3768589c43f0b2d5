/* Dynptrs: the helpers that make them of memory, read, write and look into them. In: struct bpf_dynptr, 16 bytes. Out:
   bytes; -E2BIG for such as it does not have, -EINVAL for one that is not valid or may not be written. The rule: bytes of
   packets go through the context's own helpers, so that what a packet is has one owner. */
#include "helpers/dynptr.h"

extern long bpf_skb_load_bytes(const void *, u64, void *, u64) __asm__("bpf_helper_skb_load_bytes");
extern long bpf_skb_store_bytes(void *, u64, const void *, u64, u64) __asm__("bpf_helper_skb_store_bytes");
extern long bpf_xdp_load_bytes(const void *, u64, void *, u64) __asm__("bpf_helper_xdp_load_bytes");
extern long bpf_xdp_store_bytes(void *, u64, const void *, u64) __asm__("bpf_helper_xdp_store_bytes");

HELPER(long, dynptr_from_mem, (void *data, u64 size, u64 flags, struct dynptr *to))
{
    long error = size > DYNPTR_MAX ? -E2BIG : flags ? -EINVAL : 0;
    if (error)
        dynptr_clear(to);
    else
        dynptr_set(to, data, DYNPTR_LOCAL, size);
    return error;
}

weak long bpf_dynptr_read(void *to, u64 size, const struct dynptr *from, u64 offset, u64 flags)
{
    if (!from->data || flags)
        return -EINVAL;
    if (!dynptr_has(from, offset, size))
        return -E2BIG;
    offset += from->offset;
    switch (dynptr_kind(from)) {
    case DYNPTR_SKB: return bpf_skb_load_bytes(from->data, offset, to, size);
    case DYNPTR_XDP: return bpf_xdp_load_bytes(from->data, offset, to, size);
    default: memmove(to, (char *)from->data + offset, size); return 0;
    }
}

weak long bpf_dynptr_write(const struct dynptr *to, u64 offset, const void *from, u64 size, u64 flags)
{
    if (!to->data || to->size & DYNPTR_READ_ONLY)
        return -EINVAL;
    if (!dynptr_has(to, offset, size))
        return -E2BIG;
    offset += to->offset;
    enum dynptr_kind kind = dynptr_kind(to);
    if (kind == DYNPTR_SKB)
        return bpf_skb_store_bytes(to->data, offset, from, size, flags);
    if (flags)
        return -EINVAL;
    if (kind == DYNPTR_XDP)
        return bpf_xdp_store_bytes(to->data, offset, from, size);
    memmove((char *)to->data + offset, from, size);
    return 0;
}

HELPER(void *, dynptr_data, (const struct dynptr *dynptr, u64 offset, u64 size))
{
    if (!dynptr->data || dynptr->size & DYNPTR_READ_ONLY || !dynptr_has(dynptr, offset, size))
        return NULL;
    return dynptr_is_memory(dynptr) ? (char *)dynptr->data + dynptr->offset + offset : NULL;
}
