/* Helper 82: which socket of a group (SO_REUSEPORT) gets what came, chosen out of a map. In: a struct sk_reuseport_md, which a test
   fills in. Out: the socket, for bpf2native_selected. The rule: all sockets are of one group, so protocols and families differ from
   none. */
#include "contexts/uapi.h"

void *bpf_map_lookup_elem(struct map *, const void *) __asm__("bpf_helper_map_lookup_elem");

/* One for all threads, as what was redirected. */
static struct bpf_sock *selected;

API(struct bpf_sock *, bpf2native_selected, (void))
{
    struct bpf_sock *last = selected;
    selected = NULL;
    return last;
}

/* Values of the map are sockets' addresses. */
HELPER(long, sk_select_reuseport, (void *context, struct map *sockets, const void *key, u64 flags))
{
    if (flags) return -EINVAL;
    u64 *value = bpf_map_lookup_elem(sockets, key);
    if (!value) return -ENOENT;
    selected = (struct bpf_sock *)*value;
    return 0;
}
