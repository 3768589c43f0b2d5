/* What the balancer and its tests share: the types of its maps. */
#ifndef BALANCER_H
#define BALANCER_H

#include <linux/types.h>

enum { MOST_BACKENDS = 16, FLOW_TIMEOUT = 30 }; /* seconds */

struct service {
    __be32 address;
    __be16 port;
    __u16 unused;
};

struct backend {
    __be32 address;
    __u8 mac[6];
    __u16 unused;
};

struct flow {
    __be32 source;
    __be16 source_port;
    __u16 unused;
    struct service service;
};

struct assignment {
    __u64 last_seen; /* nanoseconds */
    __u32 backend;
    __u32 unused;
};

#endif
