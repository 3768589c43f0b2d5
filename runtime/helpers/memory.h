/* Reading and writing memory that may not be there. */
#ifndef BPF2NATIVE_RUNTIME_MEMORY_H
#define BPF2NATIVE_RUNTIME_MEMORY_H

#include "runtime.h"

/* Copies `size` bytes: 0, or -EFAULT if not all are readable (to: writable), and then some may have been copied. */
extern long bpf2native_rt_read(void *to, u64 size, const void *from);
extern long bpf2native_rt_write(void *to, u64 size, const void *from);

/* Copies a string with its end, of at most `size` bytes, the last of which is then 0: how many bytes, or -EFAULT. */
extern long bpf2native_rt_read_string(void *to, u64 size, const void *from);

/* An area of memory, as the system's calls take it (struct iovec). */
struct area {
    void *start;
    u64 size;
};

extern s64 writev(int fd, const struct area *areas, s32 count);

/* Writes to standard error, by a function whose name no program has for a variable of its own. */
static inline void write_error(const char *text, u64 length)
{
    struct area area = { (void *)text, length };
    writev(2, &area, 1);
}

/* A place where a byte may not be readable, and what was read around it. */
struct bytes {
    const char *start;
    u64 size; /* 0: nothing was read */
    char bytes[64];
};

/* The byte at `from`, or -EFAULT. An aligned block is read at once: it is in one page. */
static inline long byte_at(struct bytes *known, const char *from)
{
    u64 offset = (u64)(from - known->start);
    if (unlikely(offset >= known->size)) {
        offset = (u64)from % sizeof known->bytes;
        known->start = from - offset;
        known->size = 0;
        if (bpf2native_rt_read(known->bytes, sizeof known->bytes, known->start))
            return -EFAULT;
        known->size = sizeof known->bytes;
    }
    return (u8)known->bytes[offset];
}

#endif
