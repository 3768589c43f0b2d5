/* Dynptrs, laid out as in the kernel's struct bpf_dynptr_kern. */
#ifndef BPF2NATIVE_RUNTIME_DYNPTR_H
#define BPF2NATIVE_RUNTIME_DYNPTR_H

#include "runtime.h"

struct dynptr {
    void *data; /* NULL: not valid. The context, for packets */
    u32 size;   /* 24 bits of bytes, the kind, and whether it may be written */
    u32 offset; /* of its first byte in the data */
};

enum dynptr_kind { DYNPTR_LOCAL = 1, DYNPTR_RINGBUF = 2, DYNPTR_SKB = 3, DYNPTR_XDP = 4 };

enum { DYNPTR_MAX = (1 << 24) - 1, DYNPTR_KIND_SHIFT = 28, DYNPTR_KIND_MASK = 7 };

#define DYNPTR_READ_ONLY (1u << 31)

static inline u32 dynptr_size(const struct dynptr *dynptr) { return dynptr->size & DYNPTR_MAX; }

static inline enum dynptr_kind dynptr_kind(const struct dynptr *dynptr)
{
    return dynptr->size >> DYNPTR_KIND_SHIFT & DYNPTR_KIND_MASK;
}

static inline void dynptr_set(struct dynptr *dynptr, void *data, enum dynptr_kind kind, u32 size)
{
    dynptr->data = data;
    dynptr->size = size | kind << DYNPTR_KIND_SHIFT;
    dynptr->offset = 0;
}

static inline void dynptr_clear(struct dynptr *dynptr)
{
    dynptr->data = NULL;
    dynptr->size = dynptr->offset = 0;
}

/* Whether it has these bytes. */
static inline u32 dynptr_has(const struct dynptr *dynptr, u64 offset, u64 length)
{
    u64 size = dynptr_size(dynptr);
    return length <= size && offset <= size - length;
}

/* Whether its bytes are in memory as they are, and not in a packet. */
static inline u32 dynptr_is_memory(const struct dynptr *dynptr)
{
    return dynptr_kind(dynptr) == DYNPTR_LOCAL || dynptr_kind(dynptr) == DYNPTR_RINGBUF;
}

extern void *memmove(void *to, const void *from, u64 size);

extern long bpf_dynptr_read(void *, u64, const struct dynptr *, u64, u64) __asm__("bpf_helper_dynptr_read");
extern long bpf_dynptr_write(const struct dynptr *, u64, const void *, u64, u64) __asm__("bpf_helper_dynptr_write");

#endif
