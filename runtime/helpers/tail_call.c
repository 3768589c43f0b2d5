/* Helper 12. The translator calls what is returned, calls bpf_tail_return when that has returned, and returns its result from
   the caller's function; for NULL, the caller goes on.

   How many tail calls a thread is in, it keeps under a key of its own: 33 are the most, as in the kernel. */
#include "runtime.h"
#include "maps/common.h"

enum { MOST_TAIL_CALLS = 33 };

int sched_yield(void);
int pthread_key_create(u32 *key, void (*destructor)(void *));
void *pthread_getspecific(u32 key);
int pthread_setspecific(u32 key, const void *value);

/* 0: no key; 1: being made; otherwise the key and 2. */
weak u64 bpf_tail_call_key;

enum { NO_KEY, KEY_IN_WORK, FIRST_KEY };

static u64 depth_key(void) {
    for (;;) {
        u64 known = __atomic_load_n(&bpf_tail_call_key, __ATOMIC_ACQUIRE);
        if (likely(known >= FIRST_KEY)) return known;
        if (known == NO_KEY && __sync_val_compare_and_swap(&bpf_tail_call_key, NO_KEY, KEY_IN_WORK) == NO_KEY) {
            u32 key = 0;
            int failed = pthread_key_create(&key, NULL);
            __atomic_store_n(&bpf_tail_call_key, failed ? NO_KEY : FIRST_KEY + (u64)key, __ATOMIC_RELEASE);
            if (failed) return NO_KEY;
        } else {
            sched_yield();
        }
    }
}

HELPER(void *, tail_call, (void *context, struct map *programs, u64 index)) {
    u32 wanted = index;
    if (map_ready(programs) || !programs->ops->lookup) return NULL;
    void **function = programs->ops->lookup(programs, &wanted);
    if (!function || !*function) return NULL;
    u64 key = depth_key();
    if (key == NO_KEY) return NULL;
    u64 depth = (u64)pthread_getspecific(key - FIRST_KEY);
    if (depth >= MOST_TAIL_CALLS || pthread_setspecific(key - FIRST_KEY, (void *)(depth + 1))) return NULL;
    return *function;
}

/* A function that was tail-called has returned. */
API(void, bpf_tail_return, (void)) {
    u64 key = depth_key();
    u64 depth = key == NO_KEY ? 0 : (u64)pthread_getspecific(key - FIRST_KEY);
    if (depth) pthread_setspecific(key - FIRST_KEY, (void *)(depth - 1));
}
