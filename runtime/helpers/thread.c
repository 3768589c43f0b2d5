/* What the runtime keeps for each thread. In: nothing. Out: the state of the thread that asks.

   It is found by the thread's number, and not under a key of pthread_key_create, of which a process has few: each program that is
   loaded has a runtime of its own. A thread that has ended leaves its state to the next one of its number, so there are about as many
   as threads at a time; nothing frees them earlier, since no function may be called at a thread's end, when the program's code may be
   gone, and none at the process's, when other threads still run programs. */
#include "helpers/thread.h"

enum { BUCKETS = 64 };
static struct thread *threads[BUCKETS];

u64 pthread_self(void);
void *calloc(u64 count, u64 size);

static struct thread *new_thread(struct thread **bucket, u64 number)
{
    struct thread *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    made->number = number;
    do
        made->next = *(struct thread *volatile *)bucket;
    while (!__sync_bool_compare_and_swap(bucket, made->next, made));
    return made;
}

weak struct thread *bpf2native_rt_thread(void)
{
    u64 number = pthread_self();
    /* Threads lie at least 16 KiB apart. */
    struct thread **bucket = &threads[(number >> 14) * 0x9e3779b97f4a7c15ul >> 58];
    for (struct thread *known = __atomic_load_n(bucket, __ATOMIC_ACQUIRE); known; known = known->next)
        if (known->number == number)
            return known;
    return new_thread(bucket, number);
}
