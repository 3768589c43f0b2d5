/* A lock of 4 bytes for the runtime's own lists, held for a few instructions and never while a callback runs. */
#ifndef BPF2NATIVE_RUNTIME_LOCK_H
#define BPF2NATIVE_RUNTIME_LOCK_H

#include "runtime.h"

extern int sched_yield(void);

static inline void lock(u32 *word)
{
    while (__sync_lock_test_and_set(word, 1))
        sched_yield();
}

static inline void unlock(u32 *word)
{
    __sync_lock_test_and_set(word, 0);
}

#endif
