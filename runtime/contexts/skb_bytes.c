/* Helpers that read and write bytes of a buffer. */
#include "contexts/skb.h"

enum { BPF_F_RECOMPUTE_CSUM = 1, BPF_F_INVALIDATE_HASH = 2 };
enum { BPF_HDR_START_MAC, BPF_HDR_START_NET };
static const u32 OFFSET_MAX = 0x7fffffff;

HELPER(long, skb_load_bytes, (const struct __sk_buff *skb, u32 offset, void *to, u32 length)) {
    if (unlikely(offset > OFFSET_MAX || (u64)offset + length > skb->len)) {
        memset(to, 0, length);
        return -EFAULT;
    }
    memcpy(to, low(skb->data) + offset, length);
    return 0;
}

HELPER(long, skb_load_bytes_relative, (const struct __sk_buff *skb, u32 offset, void *to, u32 length, u32 start)) {
    s64 at = (s64)offset + (start == BPF_HDR_START_MAC ? skb_mac(skb) : skb_network(skb));
    if (unlikely(offset > 0xffff || start > BPF_HDR_START_NET || at < 0 || at + length > skb_linear(skb))) {
        memset(to, 0, length);
        return -EFAULT;
    }
    memcpy(to, low(skb->data) + at, length);
    return 0;
}

HELPER(long, skb_store_bytes, (struct __sk_buff *skb, u32 offset, const void *from, u32 length, u64 flags)) {
    if (unlikely(flags & ~(u64)(BPF_F_RECOMPUTE_CSUM | BPF_F_INVALIDATE_HASH))) return -EINVAL;
    if (unlikely(offset > OFFSET_MAX)) return -EFAULT;
    if (unlikely(skb_writable(skb, offset + length))) return -EFAULT;
    memcpy(low(skb->data) + offset, from, length);
    if (flags & BPF_F_INVALIDATE_HASH) skb_clear_hash(skb);
    return 0;
}

HELPER(long, skb_pull_data, (struct __sk_buff *skb, u32 length)) {
    return skb_writable(skb, length ? length : skb_linear(skb));
}
