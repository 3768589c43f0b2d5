/* Helper 163: whether a packet fits a device. XDP's and buffers' contexts are told apart by their records; one without a record
   is taken for XDP's where its section says so, which is not known here: it is -EINVAL. */
#include "contexts/devices.h"
#include "contexts/packet.h"

enum { BPF_MTU_CHK_SEGS = 1 };
enum { BPF_MTU_CHK_RET_SUCCESS, BPF_MTU_CHK_RET_FRAG_NEEDED, BPF_MTU_CHK_RET_SEGS_TOOBIG };

HELPER(long, check_mtu, (void *context, u32 ifindex, u32 *length, s32 difference, u64 flags)) {
    struct record *record = record_of(context);
    if (!record) return -EINVAL;
    int is_xdp = record->kind == CONTEXT_XDP;
    u32 segments = flags & BPF_MTU_CHK_SEGS, is_gso = 0;
    if (unlikely(is_xdp ? flags != 0 : flags & ~(u64)BPF_MTU_CHK_SEGS)) return -EINVAL;
    if (unlikely(segments && (difference || *length))) return -EINVAL;
    if (is_xdp) {
        if (!ifindex) ifindex = ((struct xdp_md *)context)->ingress_ifindex;
    } else {
        if (!ifindex) ifindex = ((struct __sk_buff *)context)->ifindex;
        is_gso = ((struct __sk_buff *)context)->gso_size;
    }
    u32 mtu = bpf_contexts_mtu(ifindex);
    if (unlikely(!mtu)) return -ENODEV;
    s32 wanted = *length ? *length + ETH_HLEN : (u32)packet_length(context);
    s32 limit = mtu + ETH_HLEN;
    long result = BPF_MTU_CHK_RET_SUCCESS;
    if (wanted + difference > limit) {
        result = BPF_MTU_CHK_RET_FRAG_NEEDED;
        /* Segments are what is left of it. */
        if (is_gso) result = segments && is_gso > mtu ? BPF_MTU_CHK_RET_SEGS_TOOBIG : BPF_MTU_CHK_RET_SUCCESS;
    }
    *length = mtu;
    return result;
}
