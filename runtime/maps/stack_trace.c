/* BPF_MAP_TYPE_STACK_TRACE: traces by their ids, which are hashes of what is in them. */
#include "maps/stack_trace.h"

/* Frames of a trace at most: the kernel's kernel.perf_event_max_stack. */
enum { DEPTH_MAX = 127 };

enum { BUILD_ID_FRAME = 32 };

#define BPF_F_FAST_STACK_CMP (1ul << 9)
#define BPF_F_REUSE_STACKID (1ul << 10)

static u32 words_of(const struct map *map) { return map->value_size / 8; }

static void destroy(struct map *map) {
    struct stacks *stacks = map->state;
    free(stacks->words);
    free(stacks->traces);
    free(stacks);
    map->state = NULL;
}

static long create(struct map *map) {
    u32 known = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_STACK_BUILD_ID;
    u32 frame = map->flags & BPF_F_STACK_BUILD_ID ? BUILD_ID_FRAME : 8;
    if (map->flags & ~known || !map->max_entries || map->key_size != 4 || map->value_size < 8) return -EINVAL;
    if (map->value_size % frame || map->value_size / frame > DEPTH_MAX) return -EINVAL;
    if (map->max_entries > 1u << 31) return -E2BIG;
    struct stacks *stacks = calloc(1, sizeof *stacks);
    if (!stacks) return -ENOMEM;
    map->state = stacks;
    stacks->count = power_of_two(map->max_entries);
    stacks->words = calloc(stacks->count, 4);
    stacks->traces = calloc(stacks->count, map->value_size);
    if (stacks->words && stacks->traces) return 0;
    destroy(map);
    return -ENOMEM;
}

weak long bpf2native_rt_stack_put(struct map *map, const u64 *trace, u32 words, u64 flags) {
    struct stacks *stacks = map->state;
    if (words > words_of(map)) words = words_of(map);
    u64 hash = words;
    for (u32 i = 0; i < words; i++) {
        hash = (hash ^ trace[i]) * 0x9e3779b97f4a7c15ul;
        hash ^= hash >> 32;
    }
    u32 id = hash & (stacks->count - 1);
    u64 *there = stacks->traces + (u64)id * words_of(map);
    lock(&stacks->word);
    int same = stacks->words[id] == words &&
               (flags & BPF_F_FAST_STACK_CMP || !memcmp(there, trace, 8ul * words));
    int may = same || !stacks->words[id] || flags & BPF_F_REUSE_STACKID;
    if (may && !same) {
        memcpy(there, trace, 8ul * words);
        __atomic_store_n(&stacks->words[id], words, __ATOMIC_RELEASE);
    }
    unlock(&stacks->word);
    return may ? (long)id : -EEXIST;
}

/* The words behind the trace's are zero. */
static long user_lookup(struct map *map, const void *key, void *value, u64 flags) {
    struct stacks *stacks = map->state;
    u32 id = *(const u32 *)key;
    if (id >= stacks->count || !stacks->words[id]) return -ENOENT;
    memset(value, 0, map->value_size);
    memcpy(value, stacks->traces + (u64)id * words_of(map), 8ul * stacks->words[id]);
    return 0;
}

static long remove(struct map *map, const void *key) {
    struct stacks *stacks = map->state;
    u32 id = *(const u32 *)key;
    if (id >= stacks->count) return -E2BIG;
    return __sync_lock_test_and_set(&stacks->words[id], 0) ? 0 : -ENOENT;
}

static long user_take(struct map *map, const void *key, void *value, u64 flags) {
    long error = user_lookup(map, key, value, flags);
    return error ? error : remove(map, key);
}

static long update(struct map *map, const void *key, const void *value, u64 flags) { return -EINVAL; }

static long next_key(struct map *map, const void *key, void *next) {
    struct stacks *stacks = map->state;
    u32 id = key ? *(const u32 *)key : ~0u;
    id = id < stacks->count && stacks->words[id] ? id + 1 : 0;
    while (id < stacks->count && !stacks->words[id]) id++;
    if (id >= stacks->count) return -ENOENT;
    *(u32 *)next = id;
    return 0;
}

weak const struct map_ops bpf_map_ops_stack_trace = {
    .lookup = bpf2native_rt_map_no_lookup, .update = update, .remove = remove, .next_key = next_key,
    .user_lookup = user_lookup, .user_take = user_take, .create = create, .destroy = destroy,
};
