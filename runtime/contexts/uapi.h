/* What the kernel's <linux/bpf.h> says of contexts and of what helpers of the network take, as far as the runtime uses
   it. Its own copy: the committed archives must not depend on the headers of the machine that builds them. Fields that
   are in network byte order are named be16 or be32. */
#ifndef BPF2NATIVE_RUNTIME_CONTEXTS_UAPI_H
#define BPF2NATIVE_RUNTIME_CONTEXTS_UAPI_H

#include "runtime.h"

typedef u16 be16;
typedef u32 be32;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define to_be16(n) ((be16)__builtin_bswap16(n))
#define to_be32(n) ((be32)__builtin_bswap32(n))
#define to_be64(n) ((u64)__builtin_bswap64(n))
#else
#define to_be16(n) ((be16)(n))
#define to_be32(n) ((be32)(n))
#define to_be64(n) ((u64)(n))
#endif
#define from_be16 to_be16
#define from_be32 to_be32
#define from_be64 to_be64

/* Errors beside those of runtime.h. */
enum { EACCES = 13, ENODATA = 61, EPROTO = 71, EPROTOTYPE = 91, EAFNOSUPPORT = 97, ENETUNREACH = 101, EALREADY = 114 };

/* Verdicts. */
enum { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT };
enum { TC_ACT_SHOT = 2, TC_ACT_REDIRECT = 7 };
enum { SK_DROP, SK_PASS };

enum { ETH_HLEN = 14, VLAN_HLEN = 4, IPV4_HLEN = 20, IPV6_HLEN = 40 };
enum { ETH_P_802_3 = 0x0001, ETH_P_802_2 = 0x0004, ETH_P_IP = 0x0800, ETH_P_8021Q = 0x8100, ETH_P_IPV6 = 0x86dd,
       ETH_P_8021AD = 0x88a8, ETH_P_802_3_MIN = 0x0600 };
enum { PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST };
enum { AF_INET = 2, AF_INET6 = 10 };
enum { IPPROTO_TCP = 6, IPPROTO_UDP = 17 };

struct xdp_md {
    u32 data, data_end, data_meta;
    u32 ingress_ifindex, rx_queue_index, egress_ifindex;
};

struct bpf_sock {
    u32 bound_dev_if, family, type, protocol, mark, priority;
    be32 src_ip4, src_ip6[4];
    u32 src_port; /* host byte order */
    be16 dst_port;
    u16 padding;
    be32 dst_ip4, dst_ip6[4];
    u32 state;
    s32 rx_queue_mapping;
};

struct __sk_buff {
    u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority;
    u32 ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid, data, data_end, napi_id;
    u32 family;
    be32 remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port;
    u32 local_port, data_meta;
    void *flow_keys;
    u64 tstamp;
    u32 wire_len, gso_segs;
    struct bpf_sock *sk;
    u32 gso_size;
    u8 tstamp_type, padding[3];
    u64 hwtstamp;
};
_Static_assert(sizeof(struct __sk_buff) == 192 && sizeof(struct bpf_sock) == 80, "as in <linux/bpf.h>");

struct bpf_tcp_sock {
    u32 snd_cwnd, srtt_us, rtt_min, snd_ssthresh, rcv_nxt, snd_nxt, snd_una, mss_cache, ecn_flags, rate_delivered;
    u32 rate_interval_us, packets_out, retrans_out, total_retrans, segs_in, data_segs_in, segs_out, data_segs_out;
    u32 lost_out, sacked_out;
    u64 bytes_received, bytes_acked;
    u32 dsack_dups, delivered, delivered_ce, icsk_retransmits;
};

struct bpf_sock_tuple {
    union {
        struct { be32 saddr, daddr; be16 sport, dport; } ipv4;
        struct { be32 saddr[4], daddr[4]; be16 sport, dport; } ipv6;
    };
};

struct bpf_tunnel_key {
    u32 tunnel_id;
    union { u32 remote_ipv4; u32 remote_ipv6[4]; };
    u8 tunnel_tos, tunnel_ttl;
    union { u16 tunnel_ext; be16 tunnel_flags; };
    u32 tunnel_label;
    union { u32 local_ipv4; u32 local_ipv6[4]; };
};

struct bpf_fib_lookup {
    u8 family, l4_protocol;
    be16 sport, dport;
    u16 mtu; /* in: tot_len, out: mtu_result */
    u32 ifindex;
    u32 metric; /* in: tos, flowinfo */
    be32 source[4], destination[4];
    u32 table; /* in: tbid; out: h_vlan_proto, h_vlan_TCI */
    u8 smac[6], dmac[6];
};
_Static_assert(sizeof(struct bpf_fib_lookup) == 64 && sizeof(struct bpf_tunnel_key) == 44, "as in <linux/bpf.h>");

struct sk_msg_md {
    u8 *data, *data_end;
    u32 family;
    be32 remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port;
    u32 local_port, size;
    struct bpf_sock *sk;
};

struct bpf_sk_lookup {
    struct bpf_sock *sk;
    u32 family, protocol;
    be32 remote_ip4, remote_ip6[4];
    be16 remote_port;
    u16 padding;
    be32 local_ip4, local_ip6[4];
    u32 local_port, ingress_ifindex;
};

#endif
