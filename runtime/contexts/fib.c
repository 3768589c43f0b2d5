/* Helper 69: the forwarding table. It is empty until a test adds routes; the longest prefix wins, then the lowest metric,
   then the route that was added last. */
#include "contexts/devices.h"
#include "contexts/packet.h"

enum { LOOKUP_DIRECT = 1, LOOKUP_OUTPUT = 2, LOOKUP_SKIP_NEIGH = 4, LOOKUP_TBID = 8, LOOKUP_SRC = 16, LOOKUP_MARK = 32 };
enum { LOOKUP_ALL = LOOKUP_DIRECT | LOOKUP_OUTPUT | LOOKUP_SKIP_NEIGH | LOOKUP_TBID | LOOKUP_SRC | LOOKUP_MARK };
enum { RET_SUCCESS, RET_NOT_FWDED = 4, RET_NO_NEIGH = 7, RET_FRAG_NEEDED = 8, RET_NO_SRC_ADDR = 9, RET_LAST = 9 };
static const u32 ROUTES_MAX = 1 << 20;

/* As in include/bpf2native_runtime.h. */
struct bpf2native_route {
    unsigned char family;
    unsigned char prefix_length;
    unsigned char result;
    unsigned char has_neighbour;
    unsigned int ifindex;
    unsigned int mtu;
    unsigned int metric;
    unsigned int table;
    unsigned char gateway_family;
    unsigned char has_source;
    unsigned short unused;
    unsigned char destination[16];
    unsigned char gateway[16];
    unsigned char source[16];
    unsigned char smac[6];
    unsigned char dmac[6];
};

struct route {
    struct route *next;
    struct bpf2native_route is;
};

static struct route *routes;
static u32 count;

API(int, bpf2native_fib_add, (const struct bpf2native_route *route)) {
    u32 bits = route->family == AF_INET ? 32 : route->family == AF_INET6 ? 128 : 0;
    if (!bpf_contexts_mtu(route->ifindex) && !route->result) return -ENODEV;
    if (!bits || route->prefix_length > bits || route->result > RET_LAST) return -EINVAL;
    if (route->gateway_family && route->gateway_family != AF_INET && route->gateway_family != AF_INET6) return -EINVAL;
    if (count >= ROUTES_MAX) return -ENOSPC;
    struct route *added = calloc(1, sizeof *added);
    if (!added) return -ENOMEM;
    added->is = *route;
    added->next = routes;
    routes = added;
    count++;
    return 0;
}

API(void, bpf2native_fib_clear, (void)) {
    while (routes) {
        struct route *next = routes->next;
        free(routes);
        routes = next;
    }
    count = 0;
}

static int matches(const u8 *address, const u8 *prefix, u32 bits) {
    if (memcmp(address, prefix, bits / 8)) return 0;
    u32 rest = bits & 7;
    return !rest || !((address[bits / 8] ^ prefix[bits / 8]) >> (8 - rest));
}

static const struct bpf2native_route *find(const struct bpf_fib_lookup *wanted, u32 flags) {
    const struct bpf2native_route *best = NULL;
    u32 table = flags & LOOKUP_DIRECT && flags & LOOKUP_TBID ? wanted->table : 0;
    for (struct route *route = routes; route; route = route->next) {
        const struct bpf2native_route *is = &route->is;
        if (is->family != wanted->family || (table && is->table != table)) continue;
        if (!matches((const u8 *)wanted->destination, is->destination, is->prefix_length)) continue;
        if (!best || is->prefix_length > best->prefix_length ||
            (is->prefix_length == best->prefix_length && is->metric < best->metric))
            best = is;
    }
    return best;
}

/* Both families have a rule of their own for each field; sizes of addresses are what differs. */
static long forward(struct bpf_fib_lookup *params, u32 flags, u32 length) {
    u32 size = params->family == AF_INET ? 4 : 16;
    if (!bpf_contexts_mtu(params->ifindex)) return -ENODEV;
    const struct bpf2native_route *route = find(params, flags);
    if (!route) return RET_NOT_FWDED;
    if (route->result) return route->result;
    u32 device_mtu = bpf_contexts_mtu(route->ifindex), mtu = route->mtu ? route->mtu : device_mtu;
    u32 checked = params->mtu;
    if (checked > mtu) {
        params->mtu = mtu;
        return RET_FRAG_NEEDED;
    }
    if (flags & LOOKUP_SRC) {
        if (!route->has_source) return RET_NO_SRC_ADDR;
        memcpy(params->source, route->source, size);
    }
    params->metric = route->metric;
    params->ifindex = route->ifindex;
    if (route->gateway_family) {
        params->family = route->gateway_family;
        memcpy(params->destination, route->gateway, route->gateway_family == AF_INET ? 4 : 16);
    }
    if (!(flags & LOOKUP_SKIP_NEIGH)) {
        if (!route->has_neighbour) return RET_NO_NEIGH;
        static const u8 none[6];
        if (memcmp(route->smac, none, 6)) memcpy(params->smac, route->smac, 6);
        else bpf_contexts_device_address(route->ifindex, params->smac);
        memcpy(params->dmac, route->dmac, 6);
    }
    /* Out: no VLAN. */
    params->table = 0;
    if (checked) {
        params->mtu = mtu;
    } else if (length) {
        /* A buffer's own length, where none was given. */
        params->mtu = device_mtu;
        if (length > device_mtu + ETH_HLEN + VLAN_HLEN) return RET_FRAG_NEEDED;
    }
    return RET_SUCCESS;
}

HELPER(long, fib_lookup, (void *context, struct bpf_fib_lookup *params, int size, u32 flags)) {
    struct record *record = record_of(context);
    if (size < (int)sizeof *params || flags & ~(u32)LOOKUP_ALL) return -EINVAL;
    if (params->family != AF_INET && params->family != AF_INET6) return -EAFNOSUPPORT;
    u32 is_gso = record && record->kind == CONTEXT_SKB && ((struct __sk_buff *)context)->gso_size;
    u32 length = record && record->kind == CONTEXT_SKB && !is_gso ? ((struct __sk_buff *)context)->len : 0;
    return forward(params, flags, length);
}
