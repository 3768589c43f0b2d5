/* Helpers of no topic of their own: bpf_loop, kptr_xchg, and those that look for what a process does not have. */
#include "runtime.h"

enum { MAX_LOOPS = 1 << 23 };

/* How often it was called; it stops when the callback returns other than 0. Too many is an error of 32 bits, as in the code
   that the kernel puts in place of the call. */
HELPER(long, loop, (u32 count, long (*callback)(u64 index, void *context), void *context, u64 flags))
{
    if (flags)
        return -EINVAL;
    if (count > MAX_LOOPS)
        return (u32)-E2BIG;
    for (u32 i = 0; i < count; i++)
        if (callback(i, context))
            return i + 1;
    return count;
}

HELPER(void *, kptr_xchg, (void **place, void *pointer))
{
    return (void *)__sync_lock_test_and_set((u64 *)place, (u64)pointer);
}

HELPER(long, find_vma, (void *task, u64 address, void *callback, void *context, u64 flags))
{
    return flags ? -EINVAL : -ENOENT;
}

/* There are no symbols of a kernel. */
HELPER(long, kallsyms_lookup_name, (const char *name, s32 size, s32 flags, u64 *result))
{
    *result = 0;
    return flags || size <= 1 || name[size - 1] ? -EINVAL : -ENOENT;
}
