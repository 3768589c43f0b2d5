/* Contexts with a packet: XDP's and those of sockets' buffers (tc and others).
   Owns: what is kept of a context that bpf2native_xdp or bpf2native_skb made, and how it is found again.
   In: the pointer that a program has, to `struct xdp_md` or `struct __sk_buff`. Out: its record, or NULL for a context
   that somebody else filled in; such a one has no room before or behind its packet.
   The rule: a packet is one piece of memory below 4 GiB, since the contexts hold 32-bit addresses of it. A record is at
   the start of a page, its context in the middle of that page, so that asking for the record of any pointer reads
   nothing but the page that the pointer is in. */
#ifndef BPF2NATIVE_RUNTIME_CONTEXTS_PACKET_H
#define BPF2NATIVE_RUNTIME_CONTEXTS_PACKET_H

#include "contexts/uapi.h"

void *memcpy(void *, const void *, unsigned long);
void *memmove(void *, const void *, unsigned long);
void *memset(void *, int, unsigned long);
int memcmp(const void *, const void *, unsigned long);
void *calloc(unsigned long, unsigned long);
void free(void *);

enum { PAGE = 4096, CONTEXT_OFFSET = 2048, TUNNEL_OPTIONS = 255, CLONES = 64 };

/* The longest packet of bpf2native_xdp and bpf2native_skb. */
enum { PACKET_LIMIT = 1 << 16 };

#define RECORD_MAGIC 0x62706632706b7421UL

enum context_kind { CONTEXT_XDP = 1, CONTEXT_SKB };

/* enum of the kernel's skbuff.h */
enum { CHECKSUM_NONE, CHECKSUM_UNNECESSARY };

/* A packet that bpf_clone_redirect sent. */
struct clone {
    struct clone *next;
    u32 ifindex, flags, length, unused;
    u8 bytes[];
};

struct record {
    u64 magic;
    struct record *self;
    u64 mapped;      /* bytes of the mapping, which begins with the record */
    u32 kind;        /* enum context_kind */
    u32 ip_summed;   /* skb */
    u8 *begin, *end; /* where the packet may lie */
    /* skb: where headers are, from skb->data on; as eth_type_trans leaves them. */
    s32 mac, network;
    s32 transport;   /* -1: not known */
    s32 mac_length;  /* of the MAC header with its tags, where a helper has measured it; or else 0 */
    u8 csum_level, has_hash, is_encapsulated, unused;
    struct bpf_sock socket;      /* what skb->sk is at first */
    struct bpf_sock *assigned;   /* by bpf_sk_assign */
    struct clone *clones;        /* the last one first */
    u32 clone_count;
    /* What bpf_skb_set_tunnel_key set. */
    u32 tunnel_info;             /* enum tunnel_info */
    struct bpf_tunnel_key tunnel;
    u16 tunnel_flags;
    u8 tunnel_options_length, tunnel_options[TUNNEL_OPTIONS];
    be16 fou_source, fou_target; /* what bpf_skb_set_fou_encap set */
    u32 xfrm_interface;          /* what bpf_skb_set_xfrm_info set */
    /* XDP: hints of the device, where bpf2native_xdp_hints has set them. */
    u64 rx_timestamp;
    u32 rx_hash, rx_hash_type;
    be16 rx_vlan_proto;
    u16 rx_vlan_tci;
    u32 hints;                   /* which of these there are */
};
_Static_assert(sizeof(struct record) <= CONTEXT_OFFSET, "the context is behind the record, in its page");

/* A 32-bit address. */
static inline u8 *low(u32 address) {
    return (u8 *)(u64)address;
}

/* Whether a context can say where these bytes are. */
static inline int is_reachable(const void *bytes, u64 length) {
    return (u64)bytes < 1UL << 32 && length <= (1UL << 32) - 1 - (u64)bytes;
}

/* The bytes of a new packet: a copy, or zeros for NULL. */
static inline void copy_packet(u8 *to, const void *packet, u32 length) {
    if (packet) memcpy(to, packet, length);
    else memset(to, 0, length);
}

static inline struct record *record_of(const void *context) {
    u64 address = (u64)context;
    if ((address & (PAGE - 1)) != CONTEXT_OFFSET) return NULL;
    struct record *record = (struct record *)(address - CONTEXT_OFFSET);
    return record->magic == RECORD_MAGIC && record->self == record ? record : NULL;
}

static inline u32 xdp_length(const struct xdp_md *xdp) {
    return xdp->data_end - xdp->data;
}

/* How long the packet of a context with a record is; a negative error if it is no such context. */
static inline long packet_length(const void *context) {
    struct record *record = record_of(context);
    if (!record) return -EINVAL;
    return record->kind == CONTEXT_XDP ? xdp_length(context) : ((const struct __sk_buff *)context)->len;
}

/* The bytes from `offset` on, `length` of them; NULL if the packet has not so many, or the context no record. */
static inline u8 *packet_bytes(const void *context, u32 offset, u32 length) {
    long whole = packet_length(context);
    if (whole < 0 || (u64)offset + length > (u64)whole) return NULL;
    struct record *record = record_of(context);
    const struct xdp_md *xdp = context;
    const struct __sk_buff *skb = context;
    return low(record->kind == CONTEXT_XDP ? xdp->data : skb->data) + offset;
}

static inline long packet_read(const void *context, u32 offset, void *to, u32 length) {
    const u8 *from = packet_bytes(context, offset, length);
    if (!from) return -EINVAL;
    memcpy(to, from, length);
    return 0;
}

static inline long packet_write(void *context, u32 offset, const void *from, u32 length) {
    u8 *to = packet_bytes(context, offset, length);
    if (!to) return -EINVAL;
    memcpy(to, from, length);
    return 0;
}

/* memory.c: a record with so many bytes of memory for the packet behind its page; all zeros. NULL if there is no memory
   below 4 GiB. */
struct record *bpf_contexts_map(u32 kind, u64 bytes);

/* Frees clones, and forgets what helpers left in the record; the packet and the context stay. */
void bpf_contexts_forget(struct record *record);

/* redirect.c: what programs of this kind mean from here on, where a helper gets no context; no redirection. */
void bpf_contexts_begin(u32 kind);

#endif
