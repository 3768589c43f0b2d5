/* Dynptrs of packets: bpf_dynptr_from_skb and bpf_dynptr_from_xdp. In: a context. Out: a dynptr of the packet's bytes, which
   are read and written by the context's helpers (helpers/dynptr.c). */
#include "helpers/dynptr.h"

extern const void *bpf2native_packet(const void *context, u32 *length);

static s32 from_packet(void *context, u64 flags, struct dynptr *to, enum dynptr_kind kind)
{
    u32 size = 0;
    dynptr_clear(to);
    if (flags)
        return -EINVAL;
    bpf2native_packet(context, &size);
    if (size > DYNPTR_MAX)
        return -E2BIG;
    dynptr_set(to, context, kind, size);
    return 0;
}

KFUNC(s32, bpf_dynptr_from_skb, (void *skb, u64 flags, struct dynptr *to))
{
    return from_packet(skb, flags, to, DYNPTR_SKB);
}

KFUNC(s32, bpf_dynptr_from_xdp, (void *xdp, u64 flags, struct dynptr *to))
{
    return from_packet(xdp, flags, to, DYNPTR_XDP);
}
