/* BPF_MAP_TYPE_ARENA: pages that programs share with who runs them. Both see them at the same addresses. */
#include "maps/arena.h"
#include "bpf2native.h"

void *mmap(void *, unsigned long, int, int, int, long);
int munmap(void *, unsigned long);

/* The same numbers on every machine. Memory is not set aside: an arena may be much larger than what is used of it. */
enum { PROT_READ_WRITE = 3, MAP_PRIVATE_ANONYMOUS = 0x22, MAP_NORESERVE = 0x4000, MAP_FIXED_NOREPLACE = 0x100000 };

static long check(const struct map *map) {
    u32 known = BPF_F_SEGV_ON_FAULT | BPF_F_MMAPABLE | BPF_F_NO_USER_CONV;
    if (map->key_size || map->value_size || !map->max_entries || !(map->flags & BPF_F_MMAPABLE) || map->flags & ~known)
        return -EINVAL;
    /* Programs compute with the lower half of addresses. */
    u64 size = (u64)map->max_entries * PAGE;
    if (map->extra % PAGE) return -EINVAL;
    if (size > 1ul << 32) return -E2BIG;
    return map->extra >> 32 == (map->extra + size - 1) >> 32 ? 0 : -ERANGE;
}

/* At map_extra, if the definition has one. Elsewhere, all addresses have one upper half: what is mapped is twice as much as
   needed where that is so by chance only, and the rest is given back. */
static char *map_pages(u64 address, u64 size) {
    int flags = MAP_PRIVATE_ANONYMOUS | MAP_NORESERVE | (address ? MAP_FIXED_NOREPLACE : 0);
    char *at = bpf2native_call(mmap, (void *)address, address ? size : 2 * size, PROT_READ_WRITE, flags, -1, 0L);
    if (at == (char *)-1) return NULL;
    if (address) {
        if (at == (char *)address) return at;
        munmap(at, size);
        return NULL;
    }
    u64 border = ((u64)at + size - 1) >> 32 << 32;
    char *first = border > (u64)at ? (char *)border : at;
    if (first != at) munmap(at, first - at);
    if (first != at + size) munmap(first + size, at + size - first);
    return first;
}

static long create(struct map *map) {
    long error = check(map);
    if (error) return error;
    struct arena *arena = calloc(1, sizeof *arena);
    if (!arena) return -ENOMEM;
    arena->size = (u64)map->max_entries * PAGE;
    arena->pages = map_pages(map->extra, arena->size);
    if (!arena->pages) {
        free(arena);
        return -ENOMEM;
    }
    map->state = arena;
    return 0;
}

static void destroy(struct map *map) {
    struct arena *arena = map->state;
    munmap(arena->pages, arena->size);
    free(arena->taken);
    free(arena);
    map->state = NULL;
}

static long user_lookup(struct map *map, const void *key, void *value, u64 flags) { return -EINVAL; }
static long update(struct map *map, const void *key, const void *value, u64 flags) { return -EOPNOTSUPP; }
static long remove(struct map *map, const void *key) { return -EOPNOTSUPP; }
static long next_key(struct map *map, const void *key, void *next) { return -EOPNOTSUPP; }

weak const struct map_ops bpf_map_ops_arena = {
    .lookup = bpf2native_rt_map_no_lookup, .update = update, .remove = remove, .next_key = next_key,
    .user_lookup = user_lookup, .create = create, .destroy = destroy,
};
