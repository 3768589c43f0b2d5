/* Helpers for what a buffer has beside its bytes: hash, type, time stamp, congestion mark, control groups. */
#include "contexts/skb.h"

enum { BPF_SKB_CLOCK_REALTIME, BPF_SKB_CLOCK_MONOTONIC, BPF_SKB_CLOCK_TAI };
enum { ECN_MASK = 3, ECN_CE = 3 };

static u32 mix(u32 hash, const u8 *bytes, u32 length) {
    for (u32 i = 0; i < length; i++) hash = (hash ^ bytes[i]) * 0x01000193;
    return hash;
}

/* A hash of the flow: addresses, ports, the protocol. The kernel's has a secret, so no program can rely on its value. */
static u32 flow_hash(const struct __sk_buff *skb) {
    u32 hash = 0x811c9dc5, at = skb_network(skb), length = skb->len, ports;
    const u8 *data = low(skb->data);
    u8 protocol;
    if (skb->protocol == to_be16(ETH_P_IP) && at + IPV4_HLEN <= length) {
        protocol = data[at + 9];
        hash = mix(hash, data + at + 12, 8);
        int is_fragment = (data[at + 6] & 0x3f) | data[at + 7];
        ports = is_fragment ? length : at + (data[at] & 0xf) * 4;
    } else if (skb->protocol == to_be16(ETH_P_IPV6) && at + IPV6_HLEN <= length) {
        protocol = data[at + 6];
        hash = mix(hash, data + at + 8, 32);
        ports = at + IPV6_HLEN;
    } else {
        hash = mix(hash, data, length < ETH_HLEN ? length : ETH_HLEN);
        return hash ? hash : 1;
    }
    hash = mix(hash, &protocol, 1);
    if ((protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) && ports + 4 <= length) hash = mix(hash, data + ports, 4);
    return hash ? hash : 1;
}

HELPER(u32, get_hash_recalc, (struct __sk_buff *skb)) {
    struct record *record = record_of(skb);
    /* A hash that a test has set is the device's. */
    if (!skb->hash && !(record && record->has_hash)) {
        skb->hash = flow_hash(skb);
        if (record) record->has_hash = 1;
    }
    return skb->hash;
}

HELPER(long, set_hash, (struct __sk_buff *skb, u32 hash)) {
    struct record *record = record_of(skb);
    skb->hash = hash;
    if (record) record->has_hash = 1;
    return 0;
}

HELPER(void, set_hash_invalid, (struct __sk_buff *skb)) {
    skb_clear_hash(skb);
}

HELPER(long, skb_change_type, (struct __sk_buff *skb, u32 type)) {
    if (unlikely(skb->pkt_type > PACKET_OTHERHOST || type > PACKET_OTHERHOST)) return -EINVAL;
    skb->pkt_type = type;
    return 0;
}

HELPER(long, skb_set_tstamp, (struct __sk_buff *skb, u64 stamp, u32 type)) {
    if (skb->protocol != to_be16(ETH_P_IP) && skb->protocol != to_be16(ETH_P_IPV6)) return -EOPNOTSUPP;
    if (type > BPF_SKB_CLOCK_TAI || (type != BPF_SKB_CLOCK_REALTIME && !stamp)) return -EINVAL;
    skb->tstamp = stamp;
    skb->tstamp_type = type;
    return 0;
}

/* skb_protocol(skb, true): behind the tags, with the network header where it is. */
static be16 inner_protocol(const struct __sk_buff *skb) {
    be16 protocol = skb->protocol;
    u32 at = skb_mac(skb) + ETH_HLEN;
    for (int tags = 0; tags < 8; tags++, at += VLAN_HLEN) {
        if (protocol != to_be16(ETH_P_8021Q) && protocol != to_be16(ETH_P_8021AD)) return protocol;
        if (at + VLAN_HLEN > skb->len) return 0;
        memcpy(&protocol, low(skb->data) + at + 2, 2);
    }
    return 0;
}

static long mark_ipv4(u8 *ip) {
    u32 ecn = (ip[1] + 1) & ECN_MASK;
    u16 sum;
    /* Not capable of it, or marked already. */
    if (!(ecn & 2)) return !ecn;
    memcpy(&sum, ip + 10, 2);
    u32 check = sum + to_be16(0xfffb) + to_be16(ecn);
    sum = check + (check >= 0xffff);
    memcpy(ip + 10, &sum, 2);
    ip[1] |= ECN_CE;
    return 1;
}

HELPER(long, skb_ecn_set_ce, (struct __sk_buff *skb)) {
    be16 protocol = inner_protocol(skb);
    s32 at = skb_network(skb);
    u8 *ip = low(skb->data) + at;
    s64 rest = (s64)skb_linear(skb) - at;
    if (protocol == to_be16(ETH_P_IP)) return rest >= IPV4_HLEN ? mark_ipv4(ip) : 0;
    if (protocol != to_be16(ETH_P_IPV6) || rest < IPV6_HLEN || !(ip[1] >> 4 & ECN_MASK)) return 0;
    ip[1] |= ECN_CE << 4;
    return 1;
}

/* No control group has a class, and no route a realm. */
HELPER(u32, get_cgroup_classid, (struct __sk_buff *skb)) {
    return 0;
}

HELPER(u64, skb_cgroup_classid, (struct __sk_buff *skb)) {
    return 0;
}

HELPER(u32, get_route_realm, (struct __sk_buff *skb)) {
    return 0;
}

/* All sockets are in the root of the control groups' tree, whose number is 1, at level 0. */
HELPER(u64, skb_cgroup_id, (struct __sk_buff *skb)) {
    return skb->sk ? 1 : 0;
}

HELPER(u64, skb_ancestor_cgroup_id, (struct __sk_buff *skb, int level)) {
    return skb->sk && !level ? 1 : 0;
}

void *bpf_map_lookup_elem(struct map *, const void *) __asm__("bpf_helper_map_lookup_elem");

/* 1 if the group at `index` is the root or any: every socket is under what a test puts there. */
HELPER(long, skb_under_cgroup, (struct __sk_buff *skb, struct map *groups, u32 index)) {
    if (!skb->sk) return -ENOENT;
    if (index >= groups->max_entries) return -E2BIG;
    return bpf_map_lookup_elem(groups, &index) ? 1 : -EAGAIN;
}
