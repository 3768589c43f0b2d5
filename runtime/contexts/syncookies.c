/* SYN cookies. The kernel's have a secret and a time in them; these are a hash of the connection with, in the lowest
   two bits, which of four segment sizes the SYN asked for. A cookie that is made here is good here, always. */
#include "contexts/sockets.h"

enum { EPROTONOSUPPORT = 93, TCP_HLEN = 20, TCP_LISTEN = 10, FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum { OPTION_END, OPTION_NOP, OPTION_MSS, MSS_BYTES = 4 };
enum { MSS_IPV4 = 536, MSS_IPV6 = 1220 };

/* A segment. */
struct tcp {
    be16 source, destination;
    be32 sequence, ack;
    u8 offset, flags;
    be16 window, sum, urgent;
};

static u32 mix(u32 hash, const void *bytes, u32 length) {
    for (u32 i = 0; i < length; i++) hash = (hash ^ ((const u8 *)bytes)[i]) * 0x01000193;
    return hash;
}

/* The sum over addresses, ports and the SYN's sequence number. */
static u32 cookie(const u8 *ip, const struct tcp *tcp, u32 is_ipv6, u32 sequence) {
    u32 hash = is_ipv6 ? mix(0x811c9dc5, ip + 8, 32) : mix(0x811c9dc5, ip + 12, 8);
    hash = mix(hash, tcp, 4);
    for (u32 i = 0; i < 4; i++) hash = (hash ^ (sequence >> 8 * i & 0xff)) * 0x01000193;
    return hash & ~3u;
}

/* tcp_parse_mss_option; 0 if there is none. */
static u32 segment_size(const struct tcp *tcp, u32 length) {
    const u8 *options = (const u8 *)tcp;
    u32 at = TCP_HLEN;
    while (at < length) {
        u32 kind = options[at];
        if (kind == OPTION_END) return 0;
        if (kind == OPTION_NOP) {
            at++;
            continue;
        }
        if (at + 1 >= length || options[at + 1] < 2 || at + options[at + 1] > length) return 0;
        if (kind == OPTION_MSS && options[at + 1] == MSS_BYTES) return options[at + 2] << 8 | options[at + 3];
        at += options[at + 1];
    }
    return 0;
}

static int is_whole(const struct tcp *tcp, u32 length) {
    return length >= TCP_HLEN && length == (tcp->offset >> 4) * 4u;
}

static s64 make(const u8 *ip, const struct tcp *tcp, u32 length, u32 is_ipv6) {
    static const u16 sizes[2][4] = { { 536, 1300, 1440, 1460 }, { 1220, 1420, 1440, 8940 } };
    if (!is_whole(tcp, length)) return -EINVAL;
    u32 wanted = segment_size(tcp, length);
    if (!wanted) wanted = is_ipv6 ? MSS_IPV6 : MSS_IPV4;
    u32 index = 3;
    while (index && wanted < sizes[is_ipv6][index]) index--;
    return (s64)((u64)sizes[is_ipv6][index] << 32 | cookie(ip, tcp, is_ipv6, from_be32(tcp->sequence)) | index);
}

static int is_good(const u8 *ip, const struct tcp *tcp, u32 is_ipv6) {
    return ((from_be32(tcp->ack) - 1) & ~3u) == cookie(ip, tcp, is_ipv6, from_be32(tcp->sequence) - 1);
}

HELPER(s64, tcp_raw_gen_syncookie_ipv4, (const u8 *ip, const struct tcp *tcp, u32 length)) {
    return make(ip, tcp, length, 0);
}

HELPER(s64, tcp_raw_gen_syncookie_ipv6, (const u8 *ip, const struct tcp *tcp, u32 length)) {
    return make(ip, tcp, length, 1);
}

HELPER(long, tcp_raw_check_syncookie_ipv4, (const u8 *ip, const struct tcp *tcp)) {
    return is_good(ip, tcp, 0) ? 0 : -EACCES;
}

HELPER(long, tcp_raw_check_syncookie_ipv6, (const u8 *ip, const struct tcp *tcp)) {
    return is_good(ip, tcp, 1) ? 0 : -EACCES;
}

/* 0 for IPv4, 1 for IPv6, or an error. */
static long family(const struct bpf_sock *sock, const u8 *ip, u32 ip_length) {
    if (sock->protocol != IPPROTO_TCP || sock->state != TCP_LISTEN || ip_length < IPV4_HLEN) return -EINVAL;
    if (*ip >> 4 == 4) return 0;
    if (*ip >> 4 != 6) return -EPROTONOSUPPORT;
    return ip_length >= IPV6_HLEN && sock->family == AF_INET6 ? 1 : -EINVAL;
}

HELPER(s64, tcp_gen_syncookie, (struct bpf_sock *sock, const u8 *ip, u32 ip_length, const struct tcp *tcp, u32 length)) {
    if (!is_whole(tcp, length)) return -EINVAL;
    long is_ipv6 = family(sock, ip, ip_length);
    if (is_ipv6 < 0) return is_ipv6;
    if ((tcp->flags & (SYN | ACK | FIN | RST)) != SYN) return -EINVAL;
    return make(ip, tcp, length, is_ipv6);
}

HELPER(long, tcp_check_syncookie, (struct bpf_sock *sock, const u8 *ip, u32 ip_length, const struct tcp *tcp, u32 length)) {
    if (length < TCP_HLEN) return -EINVAL;
    long is_ipv6 = family(sock, ip, ip_length);
    if (is_ipv6 < 0) return is_ipv6;
    if ((tcp->flags & (SYN | ACK | RST)) != ACK) return -ENOENT;
    return is_good(ip, tcp, is_ipv6) ? 0 : -ENOENT;
}
