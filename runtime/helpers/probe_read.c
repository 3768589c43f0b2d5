/* The helpers that copy from and to any address: bpf_probe_read and its kin. In: an address, of the program's own process:
   there is one address space, so user and kernel forms are the same. Out: the copy, or -EFAULT with the destination
   zeroed, as in the kernel. */
#include "helpers/memory.h"

static void zero(char *to, u64 size)
{
    for (u64 i = 0; i < size; i++)
        *(volatile char *)(to + i) = 0;
}

static long copy(void *to, u32 size, const void *from)
{
    if (!size)
        return 0;
    long error = bpf2native_rt_read(to, size, from);
    if (error)
        zero(to, size);
    return error;
}

static long copy_string(void *to, u32 size, const void *from)
{
    long length = bpf2native_rt_read_string(to, size, from);
    if (length < 0)
        zero(to, size);
    return length;
}

HELPER(long, probe_read, (void *to, u32 size, const void *from)) { return copy(to, size, from); }

HELPER(long, probe_read_user, (void *to, u32 size, const void *from)) { return copy(to, size, from); }

HELPER(long, probe_read_kernel, (void *to, u32 size, const void *from)) { return copy(to, size, from); }

HELPER(long, copy_from_user, (void *to, u32 size, const void *from)) { return copy(to, size, from); }

/* There is one task, and so one address space. */
HELPER(long, copy_from_user_task, (void *to, u32 size, const void *from, void *task, u64 flags))
{
    return flags ? -EINVAL : copy(to, size, from);
}

HELPER(long, probe_read_str, (void *to, u32 size, const void *from)) { return copy_string(to, size, from); }

HELPER(long, probe_read_user_str, (void *to, u32 size, const void *from)) { return copy_string(to, size, from); }

HELPER(long, probe_read_kernel_str, (void *to, u32 size, const void *from)) { return copy_string(to, size, from); }

HELPER(long, probe_write_user, (void *to, const void *from, u32 size))
{
    return size ? bpf2native_rt_write(to, size, from) : 0;
}

enum { BPF_F_PAD_ZEROS = 1 };

/* The length with the string's end, which is always there. */
static long copy_user_string(char *to, u32 size, const void *from, u64 flags)
{
    if (flags & ~(u64)BPF_F_PAD_ZEROS)
        return -EINVAL;
    if (!size)
        return 0;
    long length = bpf2native_rt_read_string(to, size, from);
    if (flags & BPF_F_PAD_ZEROS)
        zero(to + (length < 0 ? 0 : length), size - (length < 0 ? 0 : length));
    return length;
}

KFUNC(long, bpf_copy_from_user_str, (void *to, u32 size, const void *from, u64 flags))
{
    return copy_user_string(to, size, from, flags);
}

KFUNC(long, bpf_copy_from_user_task_str, (void *to, u32 size, const void *from, void *task, u64 flags))
{
    return copy_user_string(to, size, from, flags);
}
