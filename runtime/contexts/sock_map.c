/* Helpers 53 and 70: put the socket of a struct bpf_sock_ops into a map. What is stored is the socket's address. */
#include "contexts/uapi.h"

long bpf_map_update_elem(struct map *, const void *, const void *, u64) __asm__("bpf_helper_map_update_elem");

/* Where `sk` is in struct bpf_sock_ops. */
enum { SOCK_OPS_SK = 184 };

static long update(void *context, struct map *map, const void *key, u64 flags) {
    struct bpf_sock *sock = *(struct bpf_sock **)((u8 *)context + SOCK_OPS_SK);
    if (!sock) return -EINVAL;
    u64 value = (u64)sock;
    return bpf_map_update_elem(map, key, &value, flags);
}

HELPER(long, sock_map_update, (void *context, struct map *map, const void *key, u64 flags)) {
    return update(context, map, key, flags);
}

HELPER(long, sock_hash_update, (void *context, struct map *map, const void *key, u64 flags)) {
    return update(context, map, key, flags);
}
