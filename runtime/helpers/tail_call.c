/* Helper 12. The translator calls what is returned, calls bpf_tail_return when that has returned, and returns its result from
   the caller's function; for NULL, the caller goes on.

   As in the kernel, 33 are the most in a run, those of callees that have returned among them: a program that calls two
   functions with tail calls in each of which that is done again would not end otherwise. A run is what happens while
   something is open: a tail call, or a program whose functions make tail calls (the translator calls bpf_tail_enter at its
   entry, and bpf_tail_return at its end). Each thread counts what is open, and the tail calls since nothing was. */
#include "helpers/thread.h"
#include "maps/common.h"

enum { MOST_TAIL_CALLS = 33 };

/* Something is open: another one, or the first of a run. */
static void open(struct thread *thread)
{
    if (!thread->open_calls++)
        thread->made_calls = 0;
}

HELPER(void *, tail_call, (void *context, struct map *programs, u64 index))
{
    u32 wanted = index;
    if (map_ready(programs) || !programs->ops->lookup)
        return NULL;
    void **function = programs->ops->lookup(programs, &wanted);
    if (!function || !*function)
        return NULL;
    struct thread *thread = bpf2native_rt_thread();
    if (!thread || (thread->open_calls && thread->made_calls >= MOST_TAIL_CALLS))
        return NULL;
    open(thread);
    thread->made_calls++;
    return *function;
}

/* A program begins, and with it a run if it is the outermost one. */
API(void, bpf_tail_enter, (void))
{
    struct thread *thread = bpf2native_rt_thread();
    if (thread)
        open(thread);
}

/* A function that was tail-called has returned, or a program that began. */
API(void, bpf_tail_return, (void))
{
    struct thread *thread = bpf2native_rt_thread();
    if (thread && thread->open_calls)
        thread->open_calls--;
}
