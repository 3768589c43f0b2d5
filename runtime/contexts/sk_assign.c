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

API(struct bpf_sock *, bpf2native_assigned, (const void *context)) {
    struct record *record = record_of(context);
    return record ? record->assigned : NULL;
}
