/* Where a program sent its packet, or its socket's data. */
#ifndef BPF2NATIVE_RUNTIME_CONTEXTS_REDIRECT_H
#define BPF2NATIVE_RUNTIME_CONTEXTS_REDIRECT_H

#include "contexts/packet.h"

/* As in include/bpf2native_runtime.h. */
enum { TO_NOWHERE, TO_DEVICE, TO_MAP, TO_PEER, TO_NEIGHBOUR };

struct bpf2native_redirect {
    unsigned kind;
    unsigned ifindex;
    unsigned long flags;
    struct map *map;
    unsigned long key;
    unsigned next_hop_family;
    unsigned next_hop[4];
};

#endif
