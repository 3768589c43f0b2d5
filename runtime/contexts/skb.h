/* What files of skb helpers share: the layout of a packet, room at its ends, header offsets.
   A buffer is linear memory. Bytes from data_end to data + len, where a test made data_end smaller, stand for the kernel's fragments: helpers
   reach them, the program does not until bpf_skb_pull_data. */
#ifndef BPF2NATIVE_RUNTIME_CONTEXTS_SKB_H
#define BPF2NATIVE_RUNTIME_CONTEXTS_SKB_H

#include "contexts/packet.h"

/* BPF_SKB_MAX_LEN: what helpers make a packet longer than, they refuse. */
enum { SKB_MAX_ALLOC = 4 * PAGE - 320 };

static inline u32 skb_linear(const struct __sk_buff *skb) {
    return skb->data_end - skb->data;
}

static inline void skb_place(struct __sk_buff *skb, u8 *data, u32 linear, u32 length) {
    skb->data = skb->data_meta = (u64)data;
    skb->data_end = skb->data + linear;
    skb->len = length;
}

/* Where the network header is, from data on. */
static inline s32 skb_network(const struct __sk_buff *skb) {
    struct record *record = record_of(skb);
    return record ? record->network : ETH_HLEN;
}

static inline s32 skb_mac(const struct __sk_buff *skb) {
    struct record *record = record_of(skb);
    return record ? record->mac : 0;
}

/* skb_ensure_writable: the first `length` bytes are the program's. */
static inline long skb_writable(struct __sk_buff *skb, u32 length) {
    if (length > skb->len) return -ENOMEM;
    if (length > skb_linear(skb)) skb->data_end = skb->data + length;
    return 0;
}

/* skb_cow: makes room before the packet and behind it. A packet without a record has none. */
static inline long skb_room(struct __sk_buff *skb, u32 head, u32 tail) {
    struct record *record = record_of(skb);
    if (!record) return head || tail ? -ENOMEM : 0;
    u8 *data = low(skb->data);
    if ((u64)(data - record->begin) >= head && (u64)(record->end - data) >= (u64)skb->len + tail) return 0;
    u64 room = (u64)(record->end - record->begin) - skb->len;
    if ((u64)head + tail > room) return -ENOMEM;
    u8 *to = record->begin + head + (room - head - tail) / 2;
    memmove(to, data, skb->len);
    skb_place(skb, to, skb_linear(skb), skb->len);
    return 0;
}

static inline void skb_clear_hash(struct __sk_buff *skb) {
    struct record *record = record_of(skb);
    if (record) record->has_hash = 0;
    skb->hash = 0;
}

/* __skb_reset_checksum_unnecessary */
static inline void skb_reset_csum(struct __sk_buff *skb) {
    struct record *record = record_of(skb);
    if (!record || record->ip_summed != CHECKSUM_UNNECESSARY) return;
    record->ip_summed = CHECKSUM_NONE;
    record->csum_level = 0;
}

#endif
