/* Helper 13: copies of a buffer that were sent. Each context keeps its own, up to 64. */
#include "contexts/devices.h"
#include "contexts/skb.h"

enum { BPF_F_INGRESS = 1 };

HELPER(long, clone_redirect, (struct __sk_buff *skb, u32 ifindex, u64 flags)) {
    struct record *record = record_of(skb);
    if (unlikely(flags & ~(u64)BPF_F_INGRESS)) return -EINVAL;
    if (unlikely(!bpf_contexts_mtu(ifindex))) return -EINVAL;
    if (!record || record->clone_count >= CLONES) return -ENOMEM;
    struct clone *clone = calloc(1, sizeof *clone + skb->len);
    if (!clone) return -ENOMEM;
    memcpy(clone->bytes, low(skb->data), skb->len);
    clone->ifindex = ifindex;
    clone->flags = flags;
    clone->length = skb->len;
    clone->next = record->clones;
    record->clones = clone;
    record->clone_count++;
    return 0;
}

API(const void *, bpf2native_clone, (const void *context, unsigned index, unsigned *ifindex, unsigned *length)) {
    struct record *record = record_of(context);
    if (!record || index >= record->clone_count) return NULL;
    struct clone *clone = record->clones;
    for (u32 skip = record->clone_count - 1 - index; skip && clone; skip--) clone = clone->next;
    if (!clone) return NULL;
    *ifindex = clone->ifindex;
    *length = clone->length;
    return clone->bytes;
}
