/* Helper 12. The translator calls what is returned, calls bpf_tail_return when that has returned, and returns its result from
   the caller's function; for NULL, the caller goes on.

   As in the kernel, 33 are the most in a run, those of callees that have returned among them: a program that calls two
   functions with tail calls in each of which that is done again would not end otherwise. A run is what happens while
   something is open: a tail call, or a program whose functions make tail calls (the translator calls bpf_tail_enter at its
   entry, and bpf_tail_return at its end). Each thread keeps under a key of its own how many are open (the low half), and
   how many tail calls were made since nothing was (the high half). */
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

/* In what a thread keeps: what is open, and a call that was made. */
#define OPEN 1ul
#define MADE (1ul << 32)

static u64 calls_key(void) {
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
    u64 key = calls_key();
    if (key == NO_KEY) return NULL;
    u64 calls = (u64)pthread_getspecific(key - FIRST_KEY);
    if (!(u32)calls) calls = 0;
    if (calls >= MOST_TAIL_CALLS * MADE) return NULL;
    return pthread_setspecific(key - FIRST_KEY, (void *)(calls + MADE + OPEN)) ? NULL : *function;
}

/* A program begins, and with it a run if it is the outermost one. */
API(void, bpf_tail_enter, (void)) {
    u64 key = calls_key();
    if (key == NO_KEY) return;
    u64 calls = (u64)pthread_getspecific(key - FIRST_KEY);
    pthread_setspecific(key - FIRST_KEY, (void *)(((u32)calls ? calls : 0) + OPEN));
}

/* A function that was tail-called has returned, or a program that began. */
API(void, bpf_tail_return, (void)) {
    u64 key = calls_key();
    u64 calls = key == NO_KEY ? 0 : (u64)pthread_getspecific(key - FIRST_KEY);
    if ((u32)calls) pthread_setspecific(key - FIRST_KEY, (void *)(calls - OPEN));
}
