/* Pages of arenas: bpf_arena_alloc_pages, free_pages, reserve_pages. In: a map of type arena, of max_entries pages. Out:
   addresses that a program uses as they are. The rule: the whole arena is mapped when it is first used, and takes memory
   where it is written; a page that is given back reads as zeros, as it does in the kernel. */
#include "maps/arena.h"

extern int madvise(void *address, u64 size, int advice);

enum { MADV_DONTNEED = 4 };

/* The arena of a map; NULL if there is no memory. */
static struct arena *arena_of(struct map *map) { return map_ready(map) ? NULL : map->state; }

static u32 page_count(const struct arena *arena) { return arena->size / PAGE; }

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
    while (found < count && page + found < page_count(arena) && is_free(arena, page + found))
        found++;
    return found;
}

/* Takes `count` pages, from `page` on if that is not the arena's end; where they start, or the arena's end. */
static u32 take(struct arena *arena, u32 page, u32 count)
{
    u32 fixed = page < page_count(arena);
    for (u32 at = fixed ? page : 0; count <= page_count(arena) && at <= page_count(arena) - count; at++) {
        u32 found = free_pages(arena, at, count);
        if (found == count) {
            mark(arena, at, count, 1);
            return at;
        }
        if (fixed)
            break;
        at += found;
    }
    return page_count(arena);
}

/* The page at an address; the arena's end if it is not in the arena. */
static u32 page_of(const struct arena *arena, const void *address)
{
    u64 offset = (u64)((const char *)address - arena->pages);
    return offset / PAGE < page_count(arena) ? offset / PAGE : page_count(arena);
}

KFUNC(void *, bpf_arena_alloc_pages, (struct map *map, void *address, u32 count, s32 node, u64 flags))
{
    struct arena *arena = arena_of(map);
    if (flags || !count || !arena)
        return NULL;
    u32 wanted = address ? page_of(arena, address) : page_count(arena);
    if (address && (wanted == page_count(arena) || (u64)address % PAGE))
        return NULL;
    lock(&arena->lock_word);
    u32 page = take(arena, wanted, count);
    unlock(&arena->lock_word);
    return page < page_count(arena) ? arena->pages + (u64)page * PAGE : NULL;
}

KFUNC(void, bpf_arena_free_pages, (struct map *map, void *address, u32 count))
{
    struct arena *arena = arena_of(map);
    u32 page = arena ? page_of(arena, address) : 0;
    if (!arena || page == page_count(arena) || !count)
        return;
    if (count > page_count(arena) - page)
        count = page_count(arena) - page;
    lock(&arena->lock_word);
    madvise(arena->pages + (u64)page * PAGE, (u64)count * PAGE, MADV_DONTNEED);
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
    if (page == page_count(arena) || count > page_count(arena) - page)
        return -EINVAL;
    lock(&arena->lock_word);
    u32 done = free_pages(arena, page, count) == count;
    if (done)
        mark(arena, page, count, 1);
    unlock(&arena->lock_word);
    return done ? 0 : -EBUSY;
}
