/* Pages of arenas: bpf_arena_alloc_pages, free_pages, reserve_pages. In: a map of type arena, of max_entries pages. Out:
   addresses that a program uses as they are. The rule: the whole arena is mapped when it is first used, and takes memory
   where it is written; a page that is given back reads as zeros, as it does in the kernel. */
#include "bpf2native.h"
#include "helpers/lock.h"

extern void *calloc(u64 count, u64 size);
extern void free(void *memory);
extern void *mmap(void *address, u64 size, int protection, int flags, int file, s64 offset);
extern int madvise(void *address, u64 size, int advice);

enum { PAGE = 4096, MADV_DONTNEED = 4, PROT_READ_WRITE = 3, MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x4022 };

/* The kernel's bound: 4 GiB. */
enum { MAX_PAGES = 1 << 20 };

struct arena {
    char *start;
    u32 lock_word;
    u32 pages;
    u64 taken[]; /* a bit for each page */
};

/* Two of the map's own words: reserved[0] is its arena. */
static struct arena *arena_of(struct map *map)
{
    struct arena *arena = *(struct arena *volatile *)&map->reserved[0];
    if (arena || !map->max_entries || map->max_entries > MAX_PAGES)
        return arena;
    u64 words = (map->max_entries + 63) / 64, size = (u64)map->max_entries * PAGE;
    arena = calloc(1, sizeof *arena + 8 * words);
    if (!arena)
        return NULL;
    arena->start = bpf2native_call(mmap, (void *)map->extra, size, (int)PROT_READ_WRITE,
                                   (int)MAP_PRIVATE_ANONYMOUS_NORESERVE, -1, 0l);
    arena->pages = map->max_entries;
    if (arena->start == (char *)-1) {
        free(arena);
        return NULL;
    }
    struct arena *other = (struct arena *)__sync_val_compare_and_swap(&map->reserved[0], 0, (u64)arena);
    return other ? other : arena;
}

static u32 is_free(const struct arena *arena, u32 page) { return !(arena->taken[page / 64] >> page % 64 & 1); }

/* Sets or clears the bits of pages. */
static void mark(struct arena *arena, u32 page, u32 count, u32 taken)
{
    for (u32 end = page + count; page < end; page++) {
        u64 bit = 1ul << page % 64;
        arena->taken[page / 64] = taken ? arena->taken[page / 64] | bit : arena->taken[page / 64] & ~bit;
    }
}

/* How many pages from `page` on are free, up to `count`. */
static u32 free_pages(const struct arena *arena, u32 page, u32 count)
{
    u32 found = 0;
    while (found < count && page + found < arena->pages && is_free(arena, page + found))
        found++;
    return found;
}

/* Takes `count` pages, from `page` on if that is not the arena's end; where they start, or the arena's end. */
static u32 take(struct arena *arena, u32 page, u32 count)
{
    u32 fixed = page < arena->pages;
    for (u32 at = fixed ? page : 0; count <= arena->pages && at <= arena->pages - count; at++) {
        u32 found = free_pages(arena, at, count);
        if (found == count) {
            mark(arena, at, count, 1);
            return at;
        }
        if (fixed)
            break;
        at += found;
    }
    return arena->pages;
}

/* The page at an address; the arena's end if it is not in the arena. */
static u32 page_of(const struct arena *arena, const void *address)
{
    u64 offset = (u64)((const char *)address - arena->start);
    return offset / PAGE < arena->pages ? offset / PAGE : arena->pages;
}

KFUNC(void *, bpf_arena_alloc_pages, (struct map *map, void *address, u32 count, s32 node, u64 flags))
{
    struct arena *arena = arena_of(map);
    if (flags || !count || !arena)
        return NULL;
    u32 wanted = address ? page_of(arena, address) : arena->pages;
    if (address && (wanted == arena->pages || (u64)address % PAGE))
        return NULL;
    lock(&arena->lock_word);
    u32 page = take(arena, wanted, count);
    unlock(&arena->lock_word);
    return page < arena->pages ? arena->start + (u64)page * PAGE : NULL;
}

KFUNC(void, bpf_arena_free_pages, (struct map *map, void *address, u32 count))
{
    struct arena *arena = arena_of(map);
    u32 page = arena ? page_of(arena, address) : 0;
    if (!arena || page == arena->pages || !count)
        return;
    if (count > arena->pages - page)
        count = arena->pages - page;
    lock(&arena->lock_word);
    madvise(arena->start + (u64)page * PAGE, (u64)count * PAGE, MADV_DONTNEED);
    mark(arena, page, count, 0);
    unlock(&arena->lock_word);
}

/* Pages that are not given out. */
KFUNC(s32, bpf_arena_reserve_pages, (struct map *map, void *address, u32 count))
{
    struct arena *arena = arena_of(map);
    if (!arena)
        return -ENOMEM;
    if (!count)
        return 0;
    u32 page = page_of(arena, address);
    if (page == arena->pages || count > arena->pages - page)
        return -EINVAL;
    lock(&arena->lock_word);
    u32 done = free_pages(arena, page, count) == count;
    if (done)
        mark(arena, page, count, 1);
    unlock(&arena->lock_word);
    return done ? 0 : -EBUSY;
}
