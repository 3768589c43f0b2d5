/* The kfuncs of XDP's metadata: what a device tells of a packet. Without bpf2native_xdp_hints a device tells nothing. */
#include "contexts/packet.h"

/* As in include/bpf2native_runtime.h. */
enum { HINT_TIMESTAMP = 1, HINT_HASH = 2, HINT_VLAN = 4 };

struct bpf2native_xdp_hints {
    unsigned present;
    unsigned hash, hash_type;
    unsigned short vlan_proto; /* network byte order */
    unsigned short vlan_tci;
    unsigned long timestamp;
};

API(int, bpf2native_xdp_hints, (struct xdp_md *xdp, const struct bpf2native_xdp_hints *hints)) {
    struct record *record = record_of(xdp);
    if (!record || record->kind != CONTEXT_XDP) return -EINVAL;
    record->hints = hints->present;
    record->rx_timestamp = hints->timestamp;
    record->rx_hash = hints->hash;
    record->rx_hash_type = hints->hash_type;
    record->rx_vlan_proto = hints->vlan_proto;
    record->rx_vlan_tci = hints->vlan_tci;
    return 0;
}

static struct record *with(const struct xdp_md *xdp, u32 hint) {
    struct record *record = record_of(xdp);
    return record && record->hints & hint ? record : NULL;
}

KFUNC(int, bpf_xdp_metadata_rx_timestamp, (const struct xdp_md *xdp, u64 *timestamp)) {
    struct record *record = with(xdp, HINT_TIMESTAMP);
    if (!record) return -ENODATA;
    *timestamp = record->rx_timestamp;
    return 0;
}

KFUNC(int, bpf_xdp_metadata_rx_hash, (const struct xdp_md *xdp, u32 *hash, u32 *type)) {
    struct record *record = with(xdp, HINT_HASH);
    if (!record) return -ENODATA;
    *hash = record->rx_hash;
    *type = record->rx_hash_type;
    return 0;
}

KFUNC(int, bpf_xdp_metadata_rx_vlan_tag, (const struct xdp_md *xdp, be16 *proto, u16 *tci)) {
    struct record *record = with(xdp, HINT_VLAN);
    if (!record) return -ENODATA;
    *proto = record->rx_vlan_proto;
    *tci = record->rx_vlan_tci;
    return 0;
}
