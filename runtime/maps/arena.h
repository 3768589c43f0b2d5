/* What an arena keeps (maps/arena.c). */
#ifndef BPF2NATIVE_RUNTIME_ARENA_H
#define BPF2NATIVE_RUNTIME_ARENA_H

#include "maps/common.h"

struct arena {
    char *pages; /* max_entries of them; zeros, and no memory until they are used */
    u64 size;    /* in bytes */
    u64 *taken;  /* a bit for each page with variables, and for each that kfuncs/arena.c gave out */
    u32 lock_word;
    u32 guard;   /* bytes before and behind that are mapped too */
};

#endif
