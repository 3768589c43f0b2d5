/* Redirection: what a program chose is kept for whoever runs it (bpf2native_redirected). bpf_redirect gets no context, and returns
   XDP_REDIRECT to XDP programs and TC_ACT_REDIRECT to others: it goes by the context that was made, reset or given to
   bpf2native_begin last. */
#include "contexts/redirect.h"

enum { BPF_F_INGRESS = 1, BPF_F_BROADCAST = 1 << 3, BPF_F_EXCLUDE_INGRESS = 1 << 4 };
enum { DEVMAP = 14, CPUMAP = 16, DEVMAP_HASH = 25 };

weak struct bpf2native_redirect bpf_contexts_redirect;
static u32 current_kind;

void *bpf_map_lookup_elem(struct map *, const void *) __asm__("bpf_helper_map_lookup_elem");

weak void bpf_contexts_begin(u32 kind) {
    current_kind = kind;
    memset(&bpf_contexts_redirect, 0, sizeof bpf_contexts_redirect);
}

API(void, bpf2native_begin, (const void *context)) {
    struct record *record = record_of(context);
    bpf_contexts_begin(record ? record->kind : 0);
}

API(int, bpf2native_redirected, (struct bpf2native_redirect *redirect)) {
    *redirect = bpf_contexts_redirect;
    return redirect->kind;
}

static void to_device(u32 kind, u32 ifindex, u64 flags) {
    struct bpf2native_redirect chosen = { .kind = kind, .ifindex = ifindex, .flags = flags };
    bpf_contexts_redirect = chosen;
}

HELPER(long, redirect, (u32 ifindex, u64 flags)) {
    if (current_kind == CONTEXT_XDP) {
        if (unlikely(flags)) return XDP_ABORTED;
        to_device(TO_DEVICE, ifindex, 0);
        return XDP_REDIRECT;
    }
    if (unlikely(flags & ~(u64)BPF_F_INGRESS)) return TC_ACT_SHOT;
    to_device(TO_DEVICE, ifindex, flags);
    return TC_ACT_REDIRECT;
}

HELPER(long, redirect_peer, (u32 ifindex, u64 flags)) {
    if (unlikely(flags)) return TC_ACT_SHOT;
    to_device(TO_PEER, ifindex, 0);
    return TC_ACT_REDIRECT;
}

struct next_hop {
    u32 family;
    be32 address[4];
};

HELPER(long, redirect_neigh, (u32 ifindex, const struct next_hop *hop, int length, u64 flags)) {
    if (unlikely((length && length < (int)sizeof *hop) || flags)) return TC_ACT_SHOT;
    to_device(TO_NEIGHBOUR, ifindex, 0);
    if (length) {
        bpf_contexts_redirect.next_hop_family = hop->family;
        memcpy(bpf_contexts_redirect.next_hop, hop->address, 16);
    }
    return TC_ACT_REDIRECT;
}

HELPER(long, redirect_map, (struct map *map, u64 key, u64 flags)) {
    u64 actions = XDP_ABORTED | XDP_DROP | XDP_PASS | XDP_TX;
    int is_devices = map->type == DEVMAP || map->type == DEVMAP_HASH;
    u64 known = actions | (is_devices ? BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS : 0);
    if (unlikely(flags & ~known)) return XDP_ABORTED;
    u32 index = key;
    const u32 *value = bpf_map_lookup_elem(map, &index);
    if (!value && !(flags & BPF_F_BROADCAST)) {
        /* Of several attempts the last one counts. */
        memset(&bpf_contexts_redirect, 0, sizeof bpf_contexts_redirect);
        return flags & actions;
    }
    struct bpf2native_redirect chosen = { .kind = TO_MAP, .map = map, .key = key };
    chosen.flags = flags & BPF_F_BROADCAST ? flags : 0;
    chosen.ifindex = value && is_devices ? *value : 0;
    bpf_contexts_redirect = chosen;
    return XDP_REDIRECT;
}

/* Sockets' data: to the socket at a key. */
static long to_socket(struct map *map, const void *key, u64 shown, u64 flags) {
    if (unlikely(flags & ~(u64)BPF_F_INGRESS)) return SK_DROP;
    if (!bpf_map_lookup_elem(map, key)) return SK_DROP;
    struct bpf2native_redirect chosen = { .kind = TO_MAP, .map = map, .key = shown, .flags = flags };
    bpf_contexts_redirect = chosen;
    return SK_PASS;
}

static u64 first_word(struct map *map, const void *key) {
    u32 word = 0;
    memcpy(&word, key, map->key_size < 4 ? map->key_size : 4);
    return word;
}

HELPER(long, sk_redirect_map, (struct __sk_buff *skb, struct map *map, u32 key, u64 flags)) {
    return to_socket(map, &key, key, flags);
}

HELPER(long, msg_redirect_map, (struct sk_msg_md *message, struct map *map, u32 key, u64 flags)) {
    return to_socket(map, &key, key, flags);
}

HELPER(long, sk_redirect_hash, (struct __sk_buff *skb, struct map *map, const void *key, u64 flags)) {
    return to_socket(map, key, first_word(map, key), flags);
}

HELPER(long, msg_redirect_hash, (struct sk_msg_md *message, struct map *map, const void *key, u64 flags)) {
    return to_socket(map, key, first_word(map, key), flags);
}
