/* Helper 124: gives a packet, or a connection that is looked up (struct bpf_sk_lookup), to a socket. */
#include "contexts/sockets.h"

enum { BPF_SK_LOOKUP_F_REPLACE = 1, BPF_SK_LOOKUP_F_NO_REUSEPORT = 2 };

HELPER(long, sk_assign, (void *context, struct bpf_sock *sock, u64 flags)) {
    struct record *record = record_of(context);
    if (record && record->kind == CONTEXT_SKB) {
        if (!sock || flags) return -EINVAL;
        record->assigned = sock;
        ((struct __sk_buff *)context)->sk = sock;
        return 0;
    }
    struct bpf_sk_lookup *lookup = context;
    if (unlikely(flags & ~(u64)(BPF_SK_LOOKUP_F_REPLACE | BPF_SK_LOOKUP_F_NO_REUSEPORT))) return -EINVAL;
    if (unlikely(sock && sock->protocol != lookup->protocol)) return -EPROTOTYPE;
    if (unlikely(sock && sock->family != lookup->family && sock->family == AF_INET)) return -EAFNOSUPPORT;
    if (lookup->sk && !(flags & BPF_SK_LOOKUP_F_REPLACE)) return -EEXIST;
    lookup->sk = sock;
    return 0;
}

/* What a cookie's ACK says of the connection, laid out as the kernel's. */
struct bpf_tcp_req_attrs {
    u32 rcv_tsval, rcv_tsecr;
    u16 mss;
    u8 rcv_wscale, snd_wscale, ecn_ok, wscale_ok, sack_ok, tstamp_ok, usec_ts_ok, reserved[3];
};
_Static_assert(sizeof(struct bpf_tcp_req_attrs) == 20, "as in the kernel");

enum { SOCK_STREAM = 1, TCP_LISTEN = 10, TCP_MIN_MSS = 88, IPV6_MIN_MTU = 1280, TCP_MAX_WSCALE = 14 };

/* A connection of a listening socket is made of the packet: it goes to that socket. */
KFUNC(s32, bpf_sk_assign_tcp_reqsk, (struct __sk_buff *skb, struct bpf_sock *sock, const struct bpf_tcp_req_attrs *attrs,
                                     s32 size)) {
    struct record *record = record_of(skb);
    if (size != sizeof *attrs || attrs->reserved[0] || attrs->reserved[1] || attrs->reserved[2]) return -EINVAL;
    if (!record || record->kind != CONTEXT_SKB) return -EINVAL;
    u32 is_ip = skb->protocol == to_be16(ETH_P_IP), is_ipv6 = skb->protocol == to_be16(ETH_P_IPV6);
    if (!is_ip && !is_ipv6) return -EINVAL;
    u32 least = is_ip ? TCP_MIN_MSS : IPV6_MIN_MTU - 20 - IPV6_HLEN;
    if (sock->type != SOCK_STREAM || sock->state != TCP_LISTEN || attrs->mss < least) return -EINVAL;
    if (attrs->wscale_ok && (attrs->snd_wscale > TCP_MAX_WSCALE || attrs->rcv_wscale > TCP_MAX_WSCALE)) return -EINVAL;
    record->assigned = sock;
    skb->sk = sock;
    return 0;
}

API(struct bpf_sock *, bpf2native_assigned, (const void *context)) {
    struct record *record = record_of(context);
    return record ? record->assigned : NULL;
}
