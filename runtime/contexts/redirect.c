/* Redirection: what a program chose is kept for whoever runs it (bpf2native_redirected). bpf_redirect gets no context, and
   returns XDP_REDIRECT to XDP programs and TC_ACT_REDIRECT to others. Which one it is the translator knows of programs in
   sections of either kind, and then it calls the one for that (src/select/redirects.rs); elsewhere it goes by the run that is
   open on the thread.

   A run is opened by bpf2native_begin and closed by bpf2native_end, and runs nest; a context that is made or reset makes the
   innermost one its own. What is not in any run is in one that is always open. */
#include "contexts/redirect.h"
#include "helpers/thread.h"

enum { BPF_F_INGRESS = 1, BPF_F_BROADCAST = 1 << 3, BPF_F_EXCLUDE_INGRESS = 1 << 4 };
enum { DEVMAP = 14, CPUMAP = 16, DEVMAP_HASH = 25 };

/* Runs that are open at a time; of more, the innermost ones share the last place. */
enum { MOST_RUNS = 16 };

struct run {
    u32 kind; /* enum context_kind; 0 for other contexts */
    struct bpf2native_redirect redirect;
};

struct runs {
    u32 innermost;
    struct run run[MOST_RUNS];
};

/* Those of threads that there is no memory for. */
static struct runs shared;

void *bpf_map_lookup_elem(struct map *, const void *) __asm__("bpf_helper_map_lookup_elem");

static struct runs *runs(void) {
    struct thread *thread = bpf2native_rt_thread();
    if (!thread) return &shared;
    if (!thread->runs) thread->runs = calloc(1, sizeof(struct runs));
    return thread->runs ? thread->runs : &shared;
}

static struct run *innermost(void) {
    struct runs *all = runs();
    return &all->run[all->innermost];
}

static void choose(const struct bpf2native_redirect *redirect) { innermost()->redirect = *redirect; }

static void start(struct run *run, u32 kind) {
    memset(run, 0, sizeof *run);
    run->kind = kind;
}

weak void bpf_contexts_begin(u32 kind) { start(innermost(), kind); }

API(void, bpf2native_begin, (const void *context)) {
    struct record *record = record_of(context);
    struct runs *all = runs();
    if (all->innermost + 1 < MOST_RUNS) all->innermost++;
    start(&all->run[all->innermost], record ? record->kind : 0);
}

/* What the outermost run chose stays to be asked for. */
API(void, bpf2native_end, (void)) {
    struct runs *all = runs();
    if (!all->innermost) return;
    if (all->innermost == 1) all->run[0] = all->run[1];
    all->innermost--;
}

API(int, bpf2native_redirected, (struct bpf2native_redirect *redirect)) {
    *redirect = innermost()->redirect;
    return redirect->kind;
}

static void to_device(u32 kind, u32 ifindex, u64 flags) {
    struct bpf2native_redirect chosen = { .kind = kind, .ifindex = ifindex, .flags = flags };
    choose(&chosen);
}

/* Helper 23 of XDP programs, and of others. */
weak long bpf2native_rt_redirect_xdp(u32 ifindex, u64 flags) {
    if (unlikely(flags)) return XDP_ABORTED;
    to_device(TO_DEVICE, ifindex, 0);
    return XDP_REDIRECT;
}

weak long bpf2native_rt_redirect_skb(u32 ifindex, u64 flags) {
    if (unlikely(flags & ~(u64)BPF_F_INGRESS)) return TC_ACT_SHOT;
    to_device(TO_DEVICE, ifindex, flags);
    return TC_ACT_REDIRECT;
}

HELPER(long, redirect, (u32 ifindex, u64 flags)) {
    if (innermost()->kind == CONTEXT_XDP) return bpf2native_rt_redirect_xdp(ifindex, flags);
    return bpf2native_rt_redirect_skb(ifindex, flags);
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
    struct bpf2native_redirect chosen = { .kind = TO_NEIGHBOUR, .ifindex = ifindex };
    if (length) {
        chosen.next_hop_family = hop->family;
        memcpy(chosen.next_hop, hop->address, 16);
    }
    choose(&chosen);
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
        to_device(TO_NOWHERE, 0, 0);
        return flags & actions;
    }
    struct bpf2native_redirect chosen = { .kind = TO_MAP, .map = map, .key = key };
    chosen.flags = flags & BPF_F_BROADCAST ? flags : 0;
    chosen.ifindex = value && is_devices ? *value : 0;
    choose(&chosen);
    return XDP_REDIRECT;
}

/* Sockets' data: to the socket at a key. */
static long to_socket(struct map *map, const void *key, u64 shown, u64 flags) {
    if (unlikely(flags & ~(u64)BPF_F_INGRESS)) return SK_DROP;
    if (!bpf_map_lookup_elem(map, key)) return SK_DROP;
    struct bpf2native_redirect chosen = { .kind = TO_MAP, .map = map, .key = shown, .flags = flags };
    choose(&chosen);
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
