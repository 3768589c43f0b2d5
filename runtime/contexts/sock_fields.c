/* What helpers tell of the socket of a context: cookie, owner, network namespace. A buffer's own socket, which is in no
   table, has cookie 1 << 32. */
#include "contexts/sockets.h"

enum { OVERFLOW_UID = 65534 };
static const u64 OWN_COOKIE = 1UL << 32;

/* The socket that a helper was given, or whose context it was given; contexts that a test filled in (struct bpf_sock_ops,
   bpf_sock_addr ...) are not told apart from sockets, and are no sockets of the table. */
static struct bpf_sock *socket_for(void *context) {
    struct record *record = record_of(context);
    if (!record) return context;
    return record->kind == CONTEXT_SKB ? ((struct __sk_buff *)context)->sk : NULL;
}

HELPER(u64, get_socket_cookie, (void *context)) {
    struct bpf_sock *sock = socket_for(context);
    struct socket *socket = sock ? socket_of(sock) : NULL;
    if (socket) return socket->cookie;
    return sock ? OWN_COOKIE : 0;
}

HELPER(u32, get_socket_uid, (struct __sk_buff *skb)) {
    struct bpf_sock *sock = skb->sk;
    if (!sock) return OVERFLOW_UID;
    struct socket *socket = socket_of(sock);
    return socket ? socket->uid : 0;
}

/* There is one network namespace, whose cookie is 1 as that of the first one is. */
HELPER(u64, get_netns_cookie, (void *context)) {
    return 1;
}

HELPER(u64, sk_cgroup_id, (struct bpf_sock *sock)) {
    return sock ? 1 : 0;
}

HELPER(u64, sk_ancestor_cgroup_id, (struct bpf_sock *sock, int level)) {
    return sock && !level ? 1 : 0;
}
