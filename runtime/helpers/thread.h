/* What the runtime keeps for each thread. */
#ifndef BPF2NATIVE_RUNTIME_THREAD_H
#define BPF2NATIVE_RUNTIME_THREAD_H

#include "runtime.h"

struct thread {
    struct thread *next; /* of the same bucket */
    u64 number;          /* pthread_self's */
    /* Tail calls (helpers/tail_call.c): what is open, and how many were made since nothing was. */
    u32 open_calls;
    u32 made_calls;
    /* Exceptions (kfuncs/throw.c): programs that catch one, and one that is on its way. */
    u32 open_programs;
    u32 is_thrown;
    u64 cookie;
    /* Runs (contexts/redirect.c), made when they are first asked for. */
    void *runs;
};

/* This thread's; NULL if there is no memory. */
extern struct thread *bpf2native_rt_thread(void);

#endif
