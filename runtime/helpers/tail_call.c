/* Helper 12. The translator calls what is returned, calls bpf_tail_return when that has returned, and returns its result from
   the caller's function; for NULL, the caller goes on.

   As in the kernel, 33 are the most in a run, those of callees that have returned among them: a program that calls two
   functions with tail calls in each of which that is done again would not end otherwise. A run here is what happens until
   no tail call is open: each thread keeps under a key of its own how many are (the low half), and how many were made since
   there were none (the high half). */
#include "thread.h"
#include "maps/common.h"

enum { MOST_TAIL_CALLS = 33 };

/* The key of what each thread keeps. */
weak u64 bpf_tail_call_key;

/* In what a thread keeps: a call that is open, and one that was made. */
#define OPEN 1ul
#define MADE (1ul << 32)

HELPER(void *, tail_call, (void *context, struct map *programs, u64 index)) {
    u32 wanted = index;
    if (map_ready(programs) || !programs->ops->lookup) return NULL;
    void **function = programs->ops->lookup(programs, &wanted);
    if (!function || !*function) return NULL;
    u64 key = thread_key(&bpf_tail_call_key, NULL);
    if (key == NO_KEY) return NULL;
    u64 calls = thread_word(key);
    if (!(u32)calls) calls = 0;
    if (calls >= MOST_TAIL_CALLS * MADE) return NULL;
    return set_thread_word(key, calls + MADE + OPEN) ? NULL : *function;
}

/* A function that was tail-called has returned. */
API(void, bpf_tail_return, (void)) {
    u64 key = thread_key(&bpf_tail_call_key, NULL);
    u64 calls = key == NO_KEY ? 0 : thread_word(key);
    if ((u32)calls) set_thread_word(key, calls - OPEN);
}
