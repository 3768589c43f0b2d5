/* Contexts of tc programs and of others that are given a socket's buffer: what they hold before the first
   instruction, as BPF_PROG_TEST_RUN fills it in from an Ethernet frame that the loopback device received. */
#include "contexts/skb.h"

/* eth_type_trans: the protocol of a frame, in network byte order. */
static be16 protocol_of(const u8 *frame, u32 length) {
    be16 type;
    memcpy(&type, frame + 12, 2);
    if (from_be16(type) >= ETH_P_802_3_MIN) return type;
    /* Novell's frames without a header. */
    int is_raw = length >= ETH_HLEN + 2 && frame[14] == 0xff && frame[15] == 0xff;
    return is_raw ? to_be16(ETH_P_802_3) : to_be16(ETH_P_802_2);
}

/* The loopback device's address is zeros, and so is its broadcast address: what is for all is for some to it. */
static u32 type_of(const u8 *destination) {
    static const u8 zeros[6];
    if (!memcmp(destination, zeros, 6)) return PACKET_HOST;
    return destination[0] & 1 ? PACKET_MULTICAST : PACKET_OTHERHOST;
}

static void fill_socket(struct bpf_sock *sock, struct __sk_buff *skb, const u8 *ip, u32 length) {
    sock->family = 0;
    sock->rx_queue_mapping = -1;
    if (skb->protocol == to_be16(ETH_P_IP)) {
        sock->family = AF_INET;
        if (length >= IPV4_HLEN) {
            memcpy(&sock->src_ip4, ip + 12, 4);
            memcpy(&sock->dst_ip4, ip + 16, 4);
        }
    } else if (skb->protocol == to_be16(ETH_P_IPV6)) {
        sock->family = AF_INET6;
        if (length >= IPV6_HLEN) {
            memcpy(sock->src_ip6, ip + 8, 16);
            memcpy(sock->dst_ip6, ip + 24, 16);
        }
    }
    skb->family = sock->family;
    skb->local_ip4 = sock->src_ip4;
    skb->remote_ip4 = sock->dst_ip4;
    memcpy(skb->local_ip6, sock->src_ip6, 16);
    memcpy(skb->remote_ip6, sock->dst_ip6, 16);
}

static void fill(struct record *record, struct __sk_buff *skb, const void *packet, u32 length) {
    u64 room = record->end - record->begin;
    /* 64 bytes are aligned as NET_SKB_PAD is. */
    u8 *data = record->begin + ((room - length) / 2 & -64UL);
    memset(skb, 0, sizeof *skb);
    copy_packet(data, packet, length);
    skb_place(skb, data, length, length);
    skb->ifindex = 1;
    skb->wire_len = length;
    record->network = ETH_HLEN;
    record->transport = -1;
    skb->sk = &record->socket;
    if (length >= ETH_HLEN) {
        skb->protocol = protocol_of(data, length);
        skb->pkt_type = type_of(data);
        fill_socket(&record->socket, skb, data + ETH_HLEN, length - ETH_HLEN);
    }
    bpf_contexts_begin(CONTEXT_SKB);
}

/* Memory for a packet that grows to SKB_MAX_ALLOC, at either end. */
static u64 room_for(u32 length) {
    return (length > SKB_MAX_ALLOC ? length : SKB_MAX_ALLOC) + 2 * PAGE;
}

API(int, bpf2native_skb_at, (struct __sk_buff *skb, void *packet, unsigned length)) {
    memset(skb, 0, sizeof *skb);
    if (!is_reachable(packet, length)) return -EFAULT;
    skb->data = skb->data_meta = (u64)packet;
    skb->data_end = skb->data + length;
    skb->len = skb->wire_len = length;
    skb->ifindex = 1;
    if (length >= ETH_HLEN) {
        skb->protocol = protocol_of(packet, length);
        skb->pkt_type = type_of(packet);
    }
    return 0;
}

API(struct __sk_buff *, bpf2native_skb, (const void *packet, unsigned length)) {
    if (length > PACKET_LIMIT) return NULL;
    struct record *record = bpf_contexts_map(CONTEXT_SKB, room_for(length));
    if (!record) return NULL;
    struct __sk_buff *skb = (struct __sk_buff *)((u8 *)record + CONTEXT_OFFSET);
    fill(record, skb, packet, length);
    return skb;
}

API(int, bpf2native_skb_reset, (struct __sk_buff *skb, const void *packet, unsigned length)) {
    struct record *record = record_of(skb);
    if (!record || record->kind != CONTEXT_SKB) return -EINVAL;
    u64 room = record->end - record->begin;
    if (length > PACKET_LIMIT || room_for(length) > room) return -ENOSPC;
    memset(record->begin, 0, room);
    bpf_contexts_forget(record);
    fill(record, skb, packet, length);
    return 0;
}

API(int, bpf2native_skb_network, (struct __sk_buff *skb)) {
    struct record *record = record_of(skb);
    if (!record || record->kind != CONTEXT_SKB) return -EINVAL;
    if (record->network <= 0 || skb_linear(skb) < (u32)record->network) return -EINVAL;
    s32 header = record->network;
    skb_place(skb, low(skb->data) + header, skb_linear(skb) - header, skb->len - header);
    skb->wire_len = skb->len;
    record->mac -= header;
    record->network = 0;
    if (record->transport >= 0) record->transport -= header;
    return 0;
}
