/* Words that each thread has its own of: BPF has no thread-local variables, so they are the system's (pthread_key_create). */
#ifndef BPF2NATIVE_RUNTIME_THREAD_H
#define BPF2NATIVE_RUNTIME_THREAD_H

#include "runtime.h"

int sched_yield(void);
int pthread_key_create(u32 *key, void (*destructor)(void *));
void *pthread_getspecific(u32 key);
int pthread_key_delete(u32 key);
int pthread_setspecific(u32 key, const void *value);

/* What a variable holds that a key is kept in; it begins with no key. */
enum { NO_KEY, KEY_IN_WORK, FIRST_KEY };

/* The key in a variable, plus FIRST_KEY, which is made when it is first asked for; NO_KEY if there is none to be had. A thread
   that ends gives its word to `destructor`, if that is not NULL and the word is not 0. */
static inline u64 thread_key(u64 *place, void (*destructor)(void *)) {
    for (;;) {
        u64 known = __atomic_load_n(place, __ATOMIC_ACQUIRE);
        if (likely(known >= FIRST_KEY)) return known;
        if (known == NO_KEY && __sync_val_compare_and_swap(place, NO_KEY, KEY_IN_WORK) == NO_KEY) {
            u32 key = 0;
            int failed = pthread_key_create(&key, destructor);
            __atomic_store_n(place, failed ? NO_KEY : FIRST_KEY + (u64)key, __ATOMIC_RELEASE);
            if (failed) return NO_KEY;
        } else {
            sched_yield();
        }
    }
}

/* This thread's word; 0 at first. */
static inline u64 thread_word(u64 key) { return (u64)pthread_getspecific(key - FIRST_KEY); }

/* 0, or an error. */
static inline int set_thread_word(u64 key, u64 word) { return pthread_setspecific(key - FIRST_KEY, (void *)word); }

/* No thread's word is given to the destructor any more. */
static inline void delete_thread_key(u64 key) { pthread_key_delete(key - FIRST_KEY); }

#endif
