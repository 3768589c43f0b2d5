/* BPF_MAP_TYPE_ARENA: pages that programs share with who runs them. Both see them at the same addresses. */
#include "maps/arena.h"
#include "bpf2native.h"
#include "helpers/memory.h"

extern void abort(void) __attribute__((noreturn));

void *mmap(void *, unsigned long, int, int, int, long);
int munmap(void *, unsigned long);
int mprotect(void *, unsigned long, int);

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

/* Beside an arena, as far as offsets of instructions reach: reads as zeros, as it does in a kernel, and may not be written. */
enum { PROT_READ = 1, GUARD = 1 << 15 };

static char *map_memory(u64 address, u64 size) {
    int flags = MAP_PRIVATE_ANONYMOUS | MAP_NORESERVE | (address ? MAP_FIXED_NOREPLACE : 0);
    char *at = bpf2native_call(mmap, (void *)address, size, PROT_READ_WRITE, flags, -1, 0L);
    if (at == (char *)-1) return NULL;
    if (!address || at == (char *)address) return at;
    munmap(at, size);
    return NULL;
}

/* At map_extra, if the definition has one; without guards, where something is beside it. */
static char *map_at(struct arena *arena, u64 address) {
    arena->guard = GUARD;
    if (map_memory(address - GUARD, arena->size + 2 * GUARD)) return (char *)address;
    arena->guard = 0;
    return map_memory(address, arena->size);
}

/* All addresses have one upper half: what is mapped is twice as much as needed where that is so by chance only, and the rest
   is given back. */
static char *map_anywhere(struct arena *arena) {
    u64 size = arena->size;
    char *at = map_memory(0, 2 * size + 2 * GUARD);
    if (!at) return NULL;
    char *end = at + 2 * size + 2 * GUARD, *first = at + GUARD;
    u64 border = ((u64)first + size - 1) >> 32 << 32;
    if (border > (u64)first) first = (char *)border;
    if (first - GUARD != at) munmap(at, first - GUARD - at);
    if (first + size + GUARD != end) munmap(first + size + GUARD, end - (first + size + GUARD));
    arena->guard = GUARD;
    return first;
}

static char *map_pages(struct arena *arena, u64 address) {
    char *pages = address ? map_at(arena, address) : map_anywhere(arena);
    if (pages && arena->guard) {
        mprotect(pages - GUARD, GUARD, PROT_READ);
        mprotect(pages + arena->size, GUARD, PROT_READ);
    }
    return pages;
}

/* Puts the variables where they lie: `values` has their bytes, with the offset in the lower half of the index and the size in
   the upper one. Their pages are taken. */
static void fill(const struct map *map, struct arena *arena) {
    u64 end = 0;
    for (u64 i = 0; i < map->value_count; i++) {
        u64 offset = (u32)map->values[i].index, size = map->values[i].index >> 32;
        memcpy(arena->pages + offset, map->values[i].value, size);
        end = offset + size;
    }
    for (u64 page = 0; page * PAGE < end; page++) arena->taken[page / 64] |= 1ul << page % 64;
}

static long create(struct map *map) {
    long error = check(map);
    if (error) return error;
    struct arena *arena = calloc(1, sizeof *arena);
    if (!arena) return -ENOMEM;
    arena->size = (u64)map->max_entries * PAGE;
    arena->taken = calloc((map->max_entries + 63ul) / 64, 8);
    arena->pages = arena->taken ? map_pages(arena, map->extra) : NULL;
    if (!arena->pages) {
        free(arena->taken);
        free(arena);
        return -ENOMEM;
    }
    fill(map, arena);
    map->state = arena;
    return 0;
}

/* Where the variables of the program are that lie in the arena of a map: at its start. */
weak void *bpf2native_rt_arena_globals(struct map *map) {
    if (unlikely(map_ready(map))) {
        static const char text[] = "bpf2native: an arena that the program has variables in cannot be mapped\n";
        write_error(text, sizeof text - 1);
        abort();
    }
    return ((struct arena *)map->state)->pages;
}

static void destroy(struct map *map) {
    struct arena *arena = map->state;
    munmap(arena->pages - arena->guard, arena->size + 2 * arena->guard);
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
