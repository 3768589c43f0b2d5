/* Tunnel keys and options of a buffer: what bpf_skb_set_tunnel_key stores for the device that sends the packet, and what a packet came
   with, which a test sets by bpf2native_tunnel. */
#include "contexts/skb.h"

enum { BPF_F_TUNINFO_IPV6 = 1 << 0, BPF_F_ZERO_CSUM_TX = 1 << 1, BPF_F_DONT_FRAGMENT = 1 << 2, BPF_F_SEQ_NUMBER = 1 << 3,
       BPF_F_NO_TUNNEL_KEY = 1 << 5, BPF_F_TUNINFO_FLAGS = 1 << 4 };
/* IP_TUNNEL_*_BIT, as 16 bits */
enum { TUNNEL_CSUM = 1 << 0, TUNNEL_KEY = 1 << 2, TUNNEL_SEQ = 1 << 3, TUNNEL_DONT_FRAGMENT = 1 << 8, TUNNEL_NOCACHE = 1 << 13 };
enum tunnel_info { TUNNEL_NONE, TUNNEL_RECEIVED = 1, TUNNEL_TO_SEND = 2, TUNNEL_IPV6 = 4, TUNNEL_HAS_OPTIONS = 8 };

/* Whether programs may give this size of a key: the struct was shorter once. */
static int is_size(u32 size) {
    return size == sizeof(struct bpf_tunnel_key) || size == offset_of(struct bpf_tunnel_key, local_ipv6) ||
           size == offset_of(struct bpf_tunnel_key, tunnel_label) || size == offset_of(struct bpf_tunnel_key, tunnel_ext) ||
           size == offset_of(struct bpf_tunnel_key, remote_ipv6[1]);
}

static long get(struct record *record, struct bpf_tunnel_key *key, u32 size, u64 flags) {
    if (unlikely(!record || !record->tunnel_info || flags & ~(u64)(BPF_F_TUNINFO_IPV6 | BPF_F_TUNINFO_FLAGS))) return -EINVAL;
    u32 is_ipv6 = !!(record->tunnel_info & TUNNEL_IPV6);
    if (is_ipv6 != !!(flags & BPF_F_TUNINFO_IPV6)) return -EPROTO;
    if (unlikely(!is_size(size) || (size == offset_of(struct bpf_tunnel_key, remote_ipv6[1]) && is_ipv6))) return -EINVAL;
    *key = record->tunnel;
    if (flags & BPF_F_TUNINFO_FLAGS) key->tunnel_flags = to_be16(record->tunnel_flags);
    else key->tunnel_ext = 0;
    return 0;
}

HELPER(long, skb_get_tunnel_key, (struct __sk_buff *skb, struct bpf_tunnel_key *to, u32 size, u64 flags)) {
    struct bpf_tunnel_key key;
    long error = get(record_of(skb), &key, size, flags);
    if (error) memset(to, 0, size);
    else memcpy(to, &key, size);
    return error;
}

/* The key as a packet has it on its way in: `remote` is who sent it. */
static void keep(struct record *record, const struct bpf_tunnel_key *key, u32 info) {
    record->tunnel_info = info;
    record->tunnel = *key;
    record->tunnel_options_length = 0;
    if (!(info & TUNNEL_IPV6)) {
        memset(&record->tunnel.remote_ipv6[1], 0, 12);
        memset(&record->tunnel.local_ipv6[1], 0, 12);
    }
}

HELPER(long, skb_set_tunnel_key, (struct __sk_buff *skb, const struct bpf_tunnel_key *from, u32 size, u64 flags)) {
    struct record *record = record_of(skb);
    u64 known = BPF_F_TUNINFO_IPV6 | BPF_F_ZERO_CSUM_TX | BPF_F_DONT_FRAGMENT | BPF_F_SEQ_NUMBER | BPF_F_NO_TUNNEL_KEY;
    struct bpf_tunnel_key key = {};
    if (unlikely(flags & ~known || !is_size(size) || !record)) return -EINVAL;
    memcpy(&key, from, size);
    u32 is_ipv6 = flags & BPF_F_TUNINFO_IPV6;
    if (unlikely((!is_ipv6 && key.tunnel_label) || key.tunnel_ext)) return -EINVAL;
    /* What is asked back is told from the receiver's side. */
    struct bpf_tunnel_key seen = key;
    memcpy(seen.remote_ipv6, key.local_ipv6, 16);
    memcpy(seen.local_ipv6, key.remote_ipv6, 16);
    seen.tunnel_label &= 0xfffff;
    keep(record, &seen, TUNNEL_TO_SEND | (is_ipv6 ? TUNNEL_IPV6 : 0));
    record->tunnel_flags = TUNNEL_NOCACHE | (flags & BPF_F_ZERO_CSUM_TX ? 0 : TUNNEL_CSUM) |
                           (flags & BPF_F_NO_TUNNEL_KEY ? 0 : TUNNEL_KEY) | (flags & BPF_F_SEQ_NUMBER ? TUNNEL_SEQ : 0) |
                           (flags & BPF_F_DONT_FRAGMENT ? TUNNEL_DONT_FRAGMENT : 0);
    return 0;
}

HELPER(long, skb_get_tunnel_opt, (struct __sk_buff *skb, void *to, u32 size)) {
    struct record *record = record_of(skb);
    long error = !record || !(record->tunnel_info & TUNNEL_HAS_OPTIONS) ? -ENOENT
                 : size < record->tunnel_options_length                 ? -ENOMEM
                                                                        : 0;
    memset(to, 0, size);
    if (error) return error;
    memcpy(to, record->tunnel_options, record->tunnel_options_length);
    return record->tunnel_options_length;
}

HELPER(long, skb_set_tunnel_opt, (struct __sk_buff *skb, const void *from, u32 size)) {
    struct record *record = record_of(skb);
    if (unlikely(!record || !(record->tunnel_info & TUNNEL_TO_SEND) || size & 3)) return -EINVAL;
    if (unlikely(size > TUNNEL_OPTIONS)) return -ENOMEM;
    memcpy(record->tunnel_options, from, size);
    record->tunnel_options_length = size;
    if (size) record->tunnel_info |= TUNNEL_HAS_OPTIONS;
    return 0;
}

API(int, bpf2native_tunnel, (struct __sk_buff *skb, const struct bpf_tunnel_key *key, int is_ipv6)) {
    struct record *record = record_of(skb);
    if (!record || record->kind != CONTEXT_SKB) return -EINVAL;
    keep(record, key, TUNNEL_RECEIVED | (is_ipv6 ? TUNNEL_IPV6 : 0));
    record->tunnel_flags = TUNNEL_KEY;
    return 0;
}
