/* Objects of a program's own, as bpf_obj_new makes them. */
#ifndef BPF2NATIVE_RUNTIME_OBJECT_H
#define BPF2NATIVE_RUNTIME_OBJECT_H

#include "runtime.h"

extern void *calloc(u64 count, u64 size);
extern void free(void *memory);

/* What is before an object. */
struct object {
    u64 size;
    u32 references;
    u32 unused;
};

/* Takes back a reference; the last one frees the object. */
extern void bpf_obj_drop_impl(void *object, void *types);

/* Takes back what a map's value owned: an object, a set of processors, a task. */
extern void bpf2native_rt_free_kptr(void *object);

#endif
