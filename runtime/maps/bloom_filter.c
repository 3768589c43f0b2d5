/* BPF_MAP_TYPE_BLOOM_FILTER: bits that say that a value was perhaps pushed. The hash is the kernel's (jhash.h, after Bob
   Jenkins) with the seed of BPF_F_ZERO_SEED, so that the same values are taken for others as there. */
#include "maps/common.h"

struct bloom {
    u32 mask;
    u32 hashes;
    u32 bits[];
};

enum { DEFAULT_HASHES = 5 };

static long create(struct map *map) {
    u32 known = BPF_F_NUMA_NODE | BPF_F_ZERO_SEED | BPF_F_ACCESS_MASK;
    if (map->key_size || !map->value_size || !map->max_entries || map->flags & ~known || map->extra & ~0xful)
        return -EINVAL;
    u32 hashes = map->extra ? map->extra : DEFAULT_HASHES;
    /* About hashes / ln 2 bits for a value, as few as one false answer in 32 with 5 hashes. */
    u64 bits = (u64)map->max_entries * hashes / 5 * 7;
    bits = bits > 1u << 31 ? 1ul << 32 : power_of_two(bits);
    if (bits < 32) bits = 32;
    struct bloom *bloom = calloc(1, sizeof *bloom + bits / 8);
    if (!bloom) return -ENOMEM;
    bloom->mask = bits - 1;
    bloom->hashes = hashes;
    map->state = bloom;
    return 0;
}

static void destroy(struct map *map) {
    free(map->state);
    map->state = NULL;
}

static inline u32 rotate(u32 word, u32 by) { return word << by | word >> (32 - by); }

static inline void mix(u32 state[3]) {
    u32 a = state[0], b = state[1], c = state[2];
    a -= c; a ^= rotate(c, 4);  c += b;
    b -= a; b ^= rotate(a, 6);  a += c;
    c -= b; c ^= rotate(b, 8);  b += a;
    a -= c; a ^= rotate(c, 16); c += b;
    b -= a; b ^= rotate(a, 19); a += c;
    c -= b; c ^= rotate(b, 4);  b += a;
    state[0] = a; state[1] = b; state[2] = c;
}

static inline u32 finish(u32 state[3]) {
    u32 a = state[0], b = state[1], c = state[2];
    c ^= b; c -= rotate(b, 14);
    a ^= c; a -= rotate(c, 11);
    b ^= a; b -= rotate(a, 25);
    c ^= b; c -= rotate(b, 16);
    a ^= c; a -= rotate(c, 4);
    b ^= a; b -= rotate(a, 14);
    c ^= b; c -= rotate(b, 24);
    return c;
}

/* jhash2 of whole words, and jhash of the rest: they differ in what the state begins with, and in the order of bytes. */
static u32 hash(const u8 *value, u32 size, u32 seed) {
    u32 whole = size % 4 == 0, begin = 0xdeadbeef + (whole ? size / 4 << 2 : size) + seed;
    u32 state[3] = {begin, begin, begin};
    for (; size > 12; size -= 12, value += 12) {
        for (u32 i = 0; i < 3; i++) {
            u32 word;
            __builtin_memcpy(&word, value + 4 * i, 4);
            state[i] += word;
        }
        mix(state);
    }
    if (!size) return state[2];
    for (u32 i = 0; i < size; i++) {
        /* The words of jhash2 are the machine's, the last bytes of jhash little-endian ones. */
        u32 shift = whole && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 24 - i % 4 * 8 : i % 4 * 8;
        state[i / 4] += (u32)value[i] << shift;
    }
    return finish(state);
}

static long peek(struct map *map, void *value) {
    struct bloom *bloom = map->state;
    for (u32 i = 0; i < bloom->hashes; i++) {
        u32 bit = hash(value, map->value_size, i) & bloom->mask;
        if (!(read_once(bloom->bits[bit / 32]) >> bit % 32 & 1)) return -ENOENT;
    }
    return 0;
}

static long push(struct map *map, const void *value, u64 flags) {
    if (flags != BPF_ANY) return -EINVAL;
    struct bloom *bloom = map->state;
    for (u32 i = 0; i < bloom->hashes; i++) {
        u32 bit = hash(value, map->value_size, i) & bloom->mask;
        __sync_fetch_and_or(&bloom->bits[bit / 32], 1u << bit % 32);
    }
    return 0;
}

static long user_lookup(struct map *map, const void *key, void *value, u64 flags) { return peek(map, value); }

static long user_update(struct map *map, const void *key, const void *value, u64 flags) {
    return push(map, value, flags);
}

static long update(struct map *map, const void *key, const void *value, u64 flags) { return -EINVAL; }

weak const struct map_ops bpf_map_ops_bloom_filter = {
    .lookup = bpf2native_rt_map_no_lookup, .update = update, .push = push, .peek = peek,
    .user_lookup = user_lookup, .user_update = user_update, .create = create, .destroy = destroy,
};
