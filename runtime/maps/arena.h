/* What an arena keeps (maps/arena.c). */
#ifndef BPF2NATIVE_RUNTIME_ARENA_H
#define BPF2NATIVE_RUNTIME_ARENA_H

#include "maps/common.h"

struct arena {
    char *pages; /* max_entries of them; zeros, and no memory until they are used */
    u64 size;    /* in bytes */
    u64 *taken;  /* a bit for each page that kfuncs/arena.c gave out; NULL at first */
    u32 lock_word;
};

#endif
