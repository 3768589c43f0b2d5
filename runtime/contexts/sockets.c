/* Sockets: a table that a test fills, and the helpers that look into it. A socket's `src` is its own end, its `dst` the other's,
   which is zeros while it listens; `state` is TCP's (1 established, 10 listening). */
#include "contexts/sockets.h"

enum { TCP_ESTABLISHED = 1, TCP_TIME_WAIT = 6, TCP_LISTEN = 10, TCP_NEW_SYN_RECV = 12 };
static const u32 SOCKETS_MAX = 1 << 16;

weak struct socket *bpf_contexts_sockets;
static u32 count;

API(struct bpf_sock *, bpf2native_sock_add, (const struct bpf_sock *like)) {
    if (count >= SOCKETS_MAX) return NULL;
    struct socket *socket = calloc(1, sizeof *socket);
    if (!socket) return NULL;
    socket->sock = *like;
    socket->magic = SOCKET_MAGIC;
    socket->cookie = ++count;
    socket->next = bpf_contexts_sockets;
    bpf_contexts_sockets = socket;
    return &socket->sock;
}

API(struct bpf_tcp_sock *, bpf2native_sock_tcp, (struct bpf_sock *sock)) {
    struct socket *socket = socket_of(sock);
    return socket ? &socket->tcp : NULL;
}

API(long, bpf2native_sock_references, (const struct bpf_sock *sock)) {
    struct socket *socket = socket_of(sock);
    return socket ? socket->references : -ENOENT;
}

API(int, bpf2native_sock_set_uid, (struct bpf_sock *sock, unsigned uid)) {
    struct socket *socket = socket_of(sock);
    if (!socket) return -ENOENT;
    socket->uid = uid;
    return 0;
}

API(void, bpf2native_sock_clear, (void)) {
    while (bpf_contexts_sockets) {
        struct socket *next = bpf_contexts_sockets->next;
        free(bpf_contexts_sockets);
        bpf_contexts_sockets = next;
    }
    count = 0;
}

/* How well a socket matches `remote` and `local` with ports in this order: 0 not at all, 3 both ends, 2 its own address, 1 its port. */
static int match(const struct bpf_sock *sock, u32 family, const be32 *remote, const be32 *local, const be16 *ports) {
    static const be32 any[4];
    u32 size = family == AF_INET ? 4 : 16;
    const be32 *own = family == AF_INET ? &sock->src_ip4 : sock->src_ip6;
    const be32 *other = family == AF_INET ? &sock->dst_ip4 : sock->dst_ip6;
    if (sock->src_port != from_be16(ports[1])) return 0;
    if (memcmp(own, any, size) && memcmp(own, local, size)) return 0;
    if (!sock->dst_port && !memcmp(other, any, size)) return memcmp(own, any, size) ? 2 : 1;
    return sock->dst_port == ports[0] && !memcmp(other, remote, size) ? 3 : 0;
}

static struct bpf_sock *find(u32 protocol, const struct bpf_sock_tuple *tuple, u32 size, u64 netns, u64 flags) {
    u32 family = size == sizeof tuple->ipv4 ? AF_INET : size == sizeof tuple->ipv6 ? AF_INET6 : 0;
    if (!family || flags || ((s32)netns >= 0 && netns > 0x7fffffff)) return NULL;
    struct socket *best = NULL;
    int quality = 0;
    for (struct socket *socket = bpf_contexts_sockets; socket; socket = socket->next) {
        if (socket->sock.protocol != protocol || socket->sock.family != family) continue;
        int is = family == AF_INET ? match(&socket->sock, family, &tuple->ipv4.saddr, &tuple->ipv4.daddr,
                                           &tuple->ipv4.sport)
                                   : match(&socket->sock, family, tuple->ipv6.saddr, tuple->ipv6.daddr,
                                           &tuple->ipv6.sport);
        if (is > quality) quality = is, best = socket;
    }
    if (!best) return NULL;
    best->references++;
    return &best->sock;
}

HELPER(struct bpf_sock *, sk_lookup_tcp, (void *context, const struct bpf_sock_tuple *tuple, u32 size, u64 netns, u64 flags)) {
    struct bpf_sock *sock = find(IPPROTO_TCP, tuple, size, netns, flags);
    /* Sockets that are no full ones are the listener's that they belong to, which is not known here. */
    if (sock && (sock->state == TCP_TIME_WAIT || sock->state == TCP_NEW_SYN_RECV)) {
        socket_of(sock)->references--;
        return NULL;
    }
    return sock;
}

HELPER(struct bpf_sock *, skc_lookup_tcp, (void *context, const struct bpf_sock_tuple *tuple, u32 size, u64 netns, u64 flags)) {
    return find(IPPROTO_TCP, tuple, size, netns, flags);
}

HELPER(struct bpf_sock *, sk_lookup_udp, (void *context, const struct bpf_sock_tuple *tuple, u32 size, u64 netns, u64 flags)) {
    return find(IPPROTO_UDP, tuple, size, netns, flags);
}

HELPER(long, sk_release, (struct bpf_sock *sock)) {
    struct socket *socket = sock ? socket_of(sock) : NULL;
    if (socket) socket->references--;
    return 0;
}

HELPER(struct bpf_sock *, sk_fullsock, (struct bpf_sock *sock)) {
    return sock && sock->state != TCP_TIME_WAIT && sock->state != TCP_NEW_SYN_RECV ? sock : NULL;
}

HELPER(struct bpf_tcp_sock *, tcp_sock, (struct bpf_sock *sock)) {
    struct socket *socket = sock ? socket_of(sock) : NULL;
    return socket && sock->protocol == IPPROTO_TCP ? &socket->tcp : NULL;
}

HELPER(struct bpf_sock *, get_listener_sock, (struct bpf_sock *sock)) {
    return sock && sock->state == TCP_LISTEN ? sock : NULL;
}

static struct bpf_tcp_sock *tcp_of(struct bpf_sock *sock, u32 family) {
    struct socket *socket = sock ? socket_of(sock) : NULL;
    return socket && sock->protocol == IPPROTO_TCP && (!family || sock->family == family) ? (void *)sock : NULL;
}

HELPER(void *, skc_to_tcp_sock, (struct bpf_sock *sock)) {
    return tcp_of(sock, 0);
}

HELPER(void *, skc_to_tcp6_sock, (struct bpf_sock *sock)) {
    return tcp_of(sock, AF_INET6);
}

HELPER(void *, skc_to_udp6_sock, (struct bpf_sock *sock)) {
    return sock && sock->protocol == IPPROTO_UDP && sock->family == AF_INET6 ? sock : NULL;
}
