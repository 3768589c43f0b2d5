/* What is around a packet beside a tunnel's key: FOU (bpf_skb_set_fou_encap), IPsec (bpf_skb_set_xfrm_info, bpf_xdp_get_xfrm_state),
   and headers that programs of lightweight tunnels push (bpf_lwt_push_encap). In: a buffer that bpf2native_skb made. Out: what its
   device would be told. The rule: no packet came by IPsec, and no security association is there. */
#include "contexts/skb.h"

enum { TUNNEL_TO_SEND = 2 };
enum { FOU_TYPES = 2 };

struct bpf_fou_encap {
    be16 sport, dport;
};

KFUNC(s32, bpf_skb_set_fou_encap, (struct __sk_buff *skb, const struct bpf_fou_encap *encap, s32 type)) {
    struct record *record = record_of(skb);
    if (unlikely(!encap || !record || !(record->tunnel_info & TUNNEL_TO_SEND))) return -EINVAL;
    if (type < 0 || type >= FOU_TYPES) return -EINVAL;
    record->fou_source = encap->sport;
    record->fou_target = encap->dport;
    return 0;
}

KFUNC(s32, bpf_skb_get_fou_encap, (struct __sk_buff *skb, struct bpf_fou_encap *encap)) {
    struct record *record = record_of(skb);
    if (unlikely(!record || !record->tunnel_info)) return -EINVAL;
    encap->sport = record->fou_source;
    encap->dport = record->fou_target;
    return 0;
}

struct bpf_xfrm_info {
    u32 interface;
    s32 link;
};

/* What a program sets is for the way out; what it asks for is of the way in. */
KFUNC(s32, bpf_skb_get_xfrm_info, (struct __sk_buff *skb, struct bpf_xfrm_info *info)) { return -EINVAL; }

KFUNC(s32, bpf_skb_set_xfrm_info, (struct __sk_buff *skb, const struct bpf_xfrm_info *info)) {
    struct record *record = record_of(skb);
    if (unlikely(!record)) return -ENOMEM;
    record->xfrm_interface = info->interface;
    return 0;
}

/* The error is the first of the options, which have 40 bytes. */
enum { XFRM_OPTIONS = 40 };

KFUNC(void *, bpf_xdp_get_xfrm_state, (struct xdp_md *xdp, s32 *options, u32 size)) {
    *options = size == XFRM_OPTIONS ? -ENOENT : -EINVAL;
    return NULL;
}

KFUNC(void, bpf_xdp_xfrm_state_release, (void *state)) {}

enum { LWT_ENCAP_SEG6, LWT_ENCAP_SEG6_INLINE, LWT_ENCAP_IP };
enum { LWT_HEADROOM = 256 };

/* ip_fast_csum */
static u16 header_sum(const u8 *header, u32 length) {
    u32 sum = 0;
    for (u32 at = 0; at < length; at += 2) sum += (u32)header[at] << 8 | header[at + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    return ~(sum + (sum >> 16));
}

/* An IP header and what is behind it, before a packet that begins with its own IP header. Segment routing wants a route. */
HELPER(long, lwt_push_encap, (struct __sk_buff *skb, u32 type, const u8 *header, u32 length)) {
    if (type != LWT_ENCAP_IP) return -EINVAL;
    if (length < IPV4_HLEN || length > LWT_HEADROOM) return -EINVAL;
    u32 version = header[0] >> 4;
    if (version == 4 ? length < (header[0] & 15u) * 4 : version != 6 || length < IPV6_HLEN) return -EINVAL;
    if (skb_room(skb, length, 0)) return -ENOMEM;
    u8 *data = low(skb->data) - length;
    memcpy(data, header, length);
    if (version == 4 && !data[10] && !data[11]) {
        u16 sum = header_sum(data, (header[0] & 15) * 4);
        data[10] = sum >> 8;
        data[11] = sum;
    }
    skb_place(skb, data, skb_linear(skb) + length, skb->len + length);
    skb->protocol = to_be16(version == 4 ? ETH_P_IP : ETH_P_IPV6);
    struct record *record = record_of(skb);
    if (record) {
        record->network = 0;
        record->transport = version == 4 ? (header[0] & 15) * 4 : IPV6_HLEN;
        record->is_encapsulated = 1;
    }
    skb_clear_hash(skb);
    return 0;
}
