/* Helpers that make a buffer longer or shorter: at its end, at its start, and between its headers. */
#include "contexts/skb.h"

enum { BPF_ADJ_ROOM_NET, BPF_ADJ_ROOM_MAC };
enum { FIXED_GSO = 1 << 0, ENCAP_L3_IPV4 = 1 << 1, ENCAP_L3_IPV6 = 1 << 2, ENCAP_L4_GRE = 1 << 3, ENCAP_L4_UDP = 1 << 4,
       NO_CSUM_RESET = 1 << 5, ENCAP_L2_ETH = 1 << 6, DECAP_L3_IPV4 = 1 << 7, DECAP_L3_IPV6 = 1 << 8 };
enum { ENCAP_L3 = ENCAP_L3_IPV4 | ENCAP_L3_IPV6, DECAP_L3 = DECAP_L3_IPV4 | DECAP_L3_IPV6 };
static const u64 ENCAP_L2_SHIFT = 56, ENCAP_L2_MASK = 0xffUL << 56;
static const u32 ADJUST_MAX = 0xfff;

HELPER(long, skb_change_tail, (struct __sk_buff *skb, u32 length, u64 flags)) {
    struct record *record = record_of(skb);
    s32 least = skb_network(skb);
    if (record && record->transport > 0) least = record->transport;
    if (unlikely(flags || length > SKB_MAX_ALLOC || (s64)length < least)) return -EINVAL;
    if (record && record->is_encapsulated) return -ENOTSUPP;
    if (length > skb->len) {
        u32 more = length - skb->len;
        if (skb_room(skb, 0, more)) return -ENOMEM;
        memset(low(skb->data) + skb->len, 0, more);
    }
    /* The kernel makes it linear first. */
    skb->len = length;
    skb->data_end = skb->data + length;
    return 0;
}

HELPER(long, skb_change_head, (struct __sk_buff *skb, u32 more, u64 flags)) {
    struct record *record = record_of(skb);
    u32 length = skb->len + more;
    if (unlikely(flags || (s32)more < 0 || (!skb->gso_size && length > SKB_MAX_ALLOC) || length < skb->len)) return -EINVAL;
    if (skb_room(skb, more, 0)) return -ENOMEM;
    u8 *data = low(skb->data) - more;
    skb_place(skb, data, skb_linear(skb) + more, length);
    memset(data, 0, more);
    if (record && more) {
        /* The MAC header is at the new start; others stay where they are. */
        record->mac = 0;
        record->network += more;
        if (record->transport >= 0) record->transport += more;
    }
    return 0;
}

/* bpf_skb_net_hdr_push: `more` zeros behind the first `at` bytes. Headers keep their distance from the start. */
static long push(struct __sk_buff *skb, u32 at, u32 more) {
    if (skb_room(skb, more, 0)) return -ENOMEM;
    u8 *old = low(skb->data), *data = old - more;
    memmove(data, old, at);
    memset(data + at, 0, more);
    skb_place(skb, data, skb_linear(skb) + more, skb->len + more);
    struct record *record = record_of(skb);
    if (record && record->transport >= 0 && record->transport != record->network) record->transport += more;
    return 0;
}

/* bpf_skb_net_hdr_pop: without the `less` bytes behind the first `at`. */
static long pop(struct __sk_buff *skb, u32 at, u32 less) {
    if (skb_writable(skb, at + less)) return -ENOMEM;
    u8 *old = low(skb->data), *data = old + less;
    memmove(data, old, at);
    skb_place(skb, data, skb_linear(skb) - less, skb->len - less);
    struct record *record = record_of(skb);
    if (record && record->transport >= 0 && record->transport != record->network) record->transport -= less;
    return 0;
}

HELPER(long, skb_change_proto, (struct __sk_buff *skb, be16 proto, u64 flags)) {
    u32 difference = IPV6_HLEN - IPV4_HLEN, at = skb_network(skb) - skb_mac(skb);
    int is_ip = skb->protocol == to_be16(ETH_P_IP), is_ipv6 = skb->protocol == to_be16(ETH_P_IPV6);
    long error;
    if (unlikely(flags)) return -EINVAL;
    if (is_ip && proto == to_be16(ETH_P_IPV6)) error = push(skb, at, difference);
    else if (is_ipv6 && proto == to_be16(ETH_P_IP)) error = pop(skb, at, difference);
    else return -ENOTSUPP;
    if (error) return error;
    skb->protocol = proto;
    skb_clear_hash(skb);
    return 0;
}

static long grow(struct __sk_buff *skb, u32 at, u32 more, u64 flags) {
    struct record *record = record_of(skb);
    u32 inner_mac = flags >> ENCAP_L2_SHIFT;
    s32 mac_length = skb_network(skb) - skb_mac(skb);
    if (flags & ENCAP_L3) {
        if ((flags & ENCAP_L3) == ENCAP_L3) return -EINVAL;
        if (flags & ENCAP_L4_GRE && flags & ENCAP_L4_UDP) return -EINVAL;
        if (flags & ENCAP_L2_ETH && inner_mac < ETH_HLEN) return -EINVAL;
        if (record && record->is_encapsulated) return -EALREADY;
        if (inner_mac > more) return -EINVAL;
    }
    long error = push(skb, at, more);
    if (error || !(flags & ENCAP_L3)) return error;
    if (record) {
        record->is_encapsulated = 1;
        record->network = mac_length;
        if (flags & (ENCAP_L4_GRE | ENCAP_L4_UDP))
            record->transport = mac_length + (flags & ENCAP_L3_IPV6 ? IPV6_HLEN : IPV4_HLEN);
    }
    skb->protocol = flags & ENCAP_L3_IPV6 ? to_be16(ETH_P_IPV6) : to_be16(ETH_P_IP);
    return 0;
}

static long shrink(struct __sk_buff *skb, u32 at, u32 less, u64 flags) {
    if (unlikely(flags & ~(u64)(FIXED_GSO | DECAP_L3 | NO_CSUM_RESET))) return -EINVAL;
    long error = pop(skb, at, less);
    if (error) return error;
    if (flags & DECAP_L3_IPV6) skb->protocol = to_be16(ETH_P_IPV6);
    if (flags & DECAP_L3_IPV4) skb->protocol = to_be16(ETH_P_IP);
    return 0;
}

HELPER(long, skb_adjust_room, (struct __sk_buff *skb, s32 difference, u32 mode, u64 flags)) {
    u64 known = FIXED_GSO | ENCAP_L3 | ENCAP_L4_GRE | ENCAP_L4_UDP | NO_CSUM_RESET | ENCAP_L2_ETH | DECAP_L3 | ENCAP_L2_MASK;
    u32 size = difference < 0 ? -(u32)difference : (u32)difference;
    if (unlikely(flags & ~known)) return -EINVAL;
    if (unlikely(size > ADJUST_MAX)) return -EFAULT;
    int is_ip = skb->protocol == to_be16(ETH_P_IP);
    if (unlikely(!is_ip && skb->protocol != to_be16(ETH_P_IPV6))) return -ENOTSUPP;
    u32 base = is_ip ? IPV4_HLEN : IPV6_HLEN, least = base, at = skb_network(skb) - skb_mac(skb);
    if (mode == BPF_ADJ_ROOM_NET) at += base;
    else if (mode != BPF_ADJ_ROOM_MAC) return -ENOTSUPP;
    if (flags & DECAP_L3) {
        if (difference >= 0 || (flags & DECAP_L3) == DECAP_L3) return -EINVAL;
        least = flags & DECAP_L3_IPV4 ? IPV4_HLEN : IPV6_HLEN;
    }
    u32 now = skb->len - skb_network(skb);
    if (difference < 0 && (size >= now || now - size < least)) return -ENOTSUPP;
    if (difference >= 0 && skb->len + size > SKB_MAX_ALLOC && !skb->gso_size) return -ENOTSUPP;
    long error = difference < 0 ? shrink(skb, at, size, flags) : grow(skb, at, size, flags);
    if (!error && !(flags & NO_CSUM_RESET)) skb_reset_csum(skb);
    return error;
}
