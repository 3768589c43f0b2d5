/* What a stack trace map keeps (maps/stack_trace.c). */
#ifndef BPF2NATIVE_RUNTIME_STACK_TRACE_H
#define BPF2NATIVE_RUNTIME_STACK_TRACE_H

#include "maps/common.h"

struct stacks {
    u32 count;  /* a power of two */
    u32 word;   /* the writers' lock */
    u32 *words; /* of each: how many words it has, 0: there is none */
    u64 *traces;
};

/* Keeps a trace of `words` words at least 1; its id, or -EEXIST if another has that id. */
long bpf2native_rt_stack_put(struct map *map, const u64 *trace, u32 words, u64 flags);

#endif
