/* What programs do to sockets, and what they are: bpf_sock_destroy, bpf_tcp_send_ack, bpf_skc_to_unix_sock, bpf_skc_to_mptcp_sock,
   bpf_sock_addr_set_sun_path. In: sockets of the table (sockets.c) or of a test's. Out: their state; what is sent is not. */
#include "contexts/sockets.h"

enum { TCP_CLOSE = 7 };
enum { AF_UNIX = 1, UNIX_PATH_MAX = 108 };

/* Where the socket's family is in struct bpf_sock_addr. */
enum { SOCK_ADDR_FAMILY = 28 };

KFUNC(s32, bpf_sock_destroy, (struct bpf_sock *sock)) {
    if (sock->protocol != IPPROTO_TCP && sock->protocol != IPPROTO_UDP) return -EOPNOTSUPP;
    sock->state = TCP_CLOSE;
    return 0;
}

/* Nothing is sent. */
HELPER(long, tcp_send_ack, (void *sock, u32 next)) { return 0; }

HELPER(void *, skc_to_unix_sock, (struct bpf_sock *sock)) {
    return sock && sock->family == AF_UNIX ? sock : NULL;
}

/* No socket has several paths. */
HELPER(void *, skc_to_mptcp_sock, (void *sock)) { return NULL; }

static u8 sun_path[UNIX_PATH_MAX];
static u32 sun_path_length;

/* The path that bpf_sock_addr_set_sun_path set last; its length. */
API(u32, bpf2native_sun_path, (u8 *to, u32 size)) {
    memcpy(to, sun_path, size < sun_path_length ? size : sun_path_length);
    return sun_path_length;
}

KFUNC(s32, bpf_sock_addr_set_sun_path, (const u8 *context, const u8 *path, u32 length)) {
    if (*(const u32 *)(context + SOCK_ADDR_FAMILY) != AF_UNIX || !length || length > UNIX_PATH_MAX) return -EINVAL;
    memcpy(sun_path, path, length);
    sun_path_length = length;
    return 0;
}
