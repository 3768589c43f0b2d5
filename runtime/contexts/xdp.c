/* XDP contexts, and the helpers that move the ends of their packets.

   A packet lies in a frame as BPF_PROG_TEST_RUN lays it out: 256 bytes of headroom, of which the first 40 are the
   kernel's struct xdp_frame, and behind the last byte of the packet's area 320 bytes of struct skb_shared_info. A
   frame is a page; a packet that is too long for that has a frame of more pages, where the kernel would have
   fragments. */
#include "contexts/packet.h"

enum { HEADROOM = 256, XDP_FRAME = 40, SHARED_INFO = 320, META_MAX = 255 };

static void fill(struct record *record, struct xdp_md *xdp, const void *packet, u32 length) {
    u8 *data = record->begin + HEADROOM;
    memset(xdp, 0, sizeof *xdp);
    xdp->data = xdp->data_meta = (u64)data;
    xdp->data_end = xdp->data + length;
    xdp->ingress_ifindex = 1;
    copy_packet(data, packet, length);
    bpf_contexts_begin(CONTEXT_XDP);
}

API(struct xdp_md *, bpf2native_xdp, (const void *packet, unsigned length)) {
    if (length > PACKET_LIMIT) return NULL;
    u64 frame = ((u64)HEADROOM + length + SHARED_INFO + PAGE - 1) & -(u64)PAGE;
    struct record *record = bpf_contexts_map(CONTEXT_XDP, frame);
    if (!record) return NULL;
    struct xdp_md *xdp = (struct xdp_md *)((u8 *)record + CONTEXT_OFFSET);
    fill(record, xdp, packet, length);
    return xdp;
}

API(int, bpf2native_xdp_reset, (struct xdp_md *xdp, const void *packet, unsigned length)) {
    struct record *record = record_of(xdp);
    if (!record || record->kind != CONTEXT_XDP) return -EINVAL;
    u64 room = record->end - record->begin;
    if (length > PACKET_LIMIT || HEADROOM + (u64)length + SHARED_INFO > room) return -ENOSPC;
    memset(record->begin, 0, room);
    bpf_contexts_forget(record);
    fill(record, xdp, packet, length);
    return 0;
}

API(int, bpf2native_xdp_at, (struct xdp_md *xdp, void *packet, unsigned length)) {
    memset(xdp, 0, sizeof *xdp);
    if (!is_reachable(packet, length)) return -EFAULT;
    xdp->data = xdp->data_meta = (u64)packet;
    xdp->data_end = xdp->data + length;
    xdp->ingress_ifindex = 1;
    return 0;
}

HELPER(long, xdp_get_buff_len, (struct xdp_md *xdp)) {
    return xdp_length(xdp);
}

/* Where data may begin; for a packet of somebody else's, where it begins. */
static u8 *first(struct xdp_md *xdp) {
    struct record *record = record_of(xdp);
    return record ? record->begin + XDP_FRAME : low(xdp->data_meta <= xdp->data ? xdp->data_meta : xdp->data);
}

HELPER(long, xdp_adjust_head, (struct xdp_md *xdp, int offset)) {
    u8 *meta = low(xdp->data_meta), *data = low(xdp->data) + offset;
    /* A context without metadata has data_meta behind data. */
    u64 meta_length = xdp->data_meta > xdp->data ? 0 : xdp->data - xdp->data_meta;
    if (unlikely(data < first(xdp) + meta_length || data > low(xdp->data_end) - ETH_HLEN)) return -EINVAL;
    if (meta_length) memmove(meta + offset, meta, meta_length);
    xdp->data_meta += offset;
    xdp->data += offset;
    return 0;
}

HELPER(long, xdp_adjust_tail, (struct xdp_md *xdp, int offset)) {
    struct record *record = record_of(xdp);
    u8 *end = low(xdp->data_end), *last = record ? record->end - SHARED_INFO : end;
    if (unlikely(end + offset > last || end + offset < low(xdp->data) + ETH_HLEN)) return -EINVAL;
    if (offset > 0) memset(end, 0, offset);
    xdp->data_end += offset;
    return 0;
}

HELPER(long, xdp_adjust_meta, (struct xdp_md *xdp, int offset)) {
    u8 *meta = low(xdp->data_meta) + offset, *data = low(xdp->data);
    if (xdp->data_meta > xdp->data) return -ENOTSUPP;
    if (unlikely(meta < first(xdp) || meta > data)) return -EINVAL;
    if (unlikely((data - meta) & 3 || data - meta > META_MAX)) return -EACCES;
    xdp->data_meta += offset;
    return 0;
}

/* The bytes from `offset` on, or an error below 0. */
static s64 piece(struct xdp_md *xdp, u32 offset, u32 length) {
    if (unlikely(offset > 0xffff || length > 0xffff)) return -EFAULT;
    if (unlikely(offset + length > xdp_length(xdp))) return -EINVAL;
    return (s64)(low(xdp->data) + offset);
}

HELPER(long, xdp_load_bytes, (struct xdp_md *xdp, u32 offset, void *to, u32 length)) {
    s64 from = piece(xdp, offset, length);
    if (from < 0) return from;
    memcpy(to, (void *)from, length);
    return 0;
}

HELPER(long, xdp_store_bytes, (struct xdp_md *xdp, u32 offset, const void *from, u32 length)) {
    s64 to = piece(xdp, offset, length);
    if (to < 0) return to;
    memcpy((void *)to, from, length);
    return 0;
}
