/* Locks of 4 bytes: `struct bpf_spin_lock` in values, and the runtime's own. Threads may be more than processors, so one
   that waits gives its processor to the others. */
#ifndef BPF2NATIVE_RUNTIME_LOCK_H
#define BPF2NATIVE_RUNTIME_LOCK_H

#include "runtime.h"

int sched_yield(void);

static inline void lock(u32 *word) {
    while (!__sync_bool_compare_and_swap(word, 0, 1)) sched_yield();
}

static inline void unlock(u32 *word) { __atomic_store_n(word, 0, __ATOMIC_RELEASE); }

#endif
