/* The legacy packet loads (RFC 9669 section 5.5): `r0 = *(uN *)skb[...]`. The context is r6's. The result is in host order and not negative, or
   negative for a load that the packet has not, which ends the program. */
#include "contexts/skb.h"

/* Offsets from here on are from the network header, and from the MAC header. */
enum { SKF_NET_OFF = -0x100000, SKF_LL_OFF = -0x200000 };

weak s64 bpf_load_packet(const void *context, s64 position, u64 size) {
    struct record *record = record_of(context);
    const struct __sk_buff *skb = context;
    s64 at = (s32)position, limit;
    const u8 *data;
    if (record && record->kind == CONTEXT_XDP) {
        data = low(((const struct xdp_md *)context)->data);
        limit = xdp_length(context);
        if (at < 0) return -EFAULT;
    } else {
        data = low(skb->data);
        limit = skb->len;
        if (at < 0) {
            if (at >= SKF_NET_OFF) at += skb_network(skb) - SKF_NET_OFF;
            else if (at >= SKF_LL_OFF) at += skb_mac(skb) - SKF_LL_OFF;
            else return -EFAULT;
            limit = skb_linear(skb);
        }
    }
    if (at < 0 || at + (s64)size > limit) return -EFAULT;
    u64 value = 0;
    for (u64 i = 0; i < size; i++) value = value << 8 | data[at + i];
    return value;
}
