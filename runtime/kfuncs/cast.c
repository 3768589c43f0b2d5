/* Casts that only the verifier sees. In: a pointer. Out: the same. */
#include "runtime.h"

/* The kernel's context is the program's. */
KFUNC(void *, bpf_cast_to_kern_ctx, (void *context)) { return context; }

KFUNC(void *, bpf_rdonly_cast, (const void *pointer, u32 type)) { return (void *)pointer; }
