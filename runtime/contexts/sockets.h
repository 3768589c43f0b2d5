/* Sockets of the table that a test fills. */
#ifndef BPF2NATIVE_RUNTIME_CONTEXTS_SOCKETS_H
#define BPF2NATIVE_RUNTIME_CONTEXTS_SOCKETS_H

#include "contexts/packet.h"

#define SOCKET_MAGIC 0x62706632736f636bUL

/* `sock` comes first: programs have a pointer to it, and see the fields of <linux/bpf.h>. */
struct socket {
    struct bpf_sock sock;
    u64 magic;
    struct socket *next;
    struct bpf_tcp_sock tcp;
    u64 cookie;
    s64 references; /* that programs took and have not given back */
    u32 uid, unused;
};

/* sockets.c: all of them, the last one first. */
extern struct socket *bpf_contexts_sockets;

/* The table's socket that a program's pointer is to; NULL for a struct of a test's. */
static inline struct socket *socket_of(const struct bpf_sock *sock) {
    for (struct socket *socket = bpf_contexts_sockets; socket; socket = socket->next)
        if (&socket->sock == sock) return socket;
    return NULL;
}

#endif
