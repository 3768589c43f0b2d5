/* What tracing programs ask of where they are attached: bpf_get_func_ip, get_func_arg, get_attach_cookie, get_stack,
   override_return. In: what bpf2native_set_probe sets; and for arguments, the context, in which they lie as in the
   kernel: 8 bytes each, the result after them. Out: those values; the result that a program wants instead is kept. */
#include "runtime.h"

/* Laid out as include/bpf2native_runtime.h has it. */
struct bpf2native_probe {
    u64 ip;           /* where the function starts */
    u64 cookie;
    const u64 *stack; /* return addresses, innermost first */
    u32 stack_depth;
    u32 arguments;    /* how many the function has */
    s64 retval;       /* what bpf_get_retval says, and bpf_set_retval sets */
};

enum { SKIP_MASK = 0xff, USER_STACK = 1 << 8, MAX_ERRNO = 4095 };

static struct bpf2native_probe probe;
static u64 overridden, overrides;

API(void, bpf2native_set_probe, (const struct bpf2native_probe *set)) { probe = *set; }

API(u32, bpf2native_overridden, (u64 *result))
{
    if (result)
        *result = overridden;
    return __sync_fetch_and_and(&overrides, 0);
}

HELPER(u64, get_func_ip, (void *context)) { return probe.ip; }

HELPER(u64, get_attach_cookie, (void *context)) { return probe.cookie; }

HELPER(u64, get_func_arg_cnt, (void *context)) { return probe.arguments; }

HELPER(long, get_func_arg, (const u64 *context, u32 number, u64 *value))
{
    if (number >= probe.arguments)
        return -EINVAL;
    *value = context[number];
    return 0;
}

HELPER(long, get_func_ret, (const u64 *context, u64 *value))
{
    *value = context[probe.arguments];
    return 0;
}

API(long, bpf2native_retval, (void)) { return probe.retval; }

HELPER(long, get_retval, (void)) { return probe.retval; }

HELPER(long, set_retval, (s32 value))
{
    if (value > 0 || value < -MAX_ERRNO)
        return -EINVAL;
    probe.retval = value;
    return 0;
}

HELPER(long, override_return, (void *registers, u64 result))
{
    overridden = result;
    __sync_fetch_and_add(&overrides, 1);
    return 0;
}

static long stack(u64 *buffer, u32 size, u64 flags)
{
    u64 skipped = flags & SKIP_MASK, count = 0;
    u32 valid = !(flags & ~(u64)(SKIP_MASK | USER_STACK)) && size % 8 == 0;
    for (; valid && count < size / 8 && skipped + count < probe.stack_depth; count++)
        buffer[count] = probe.stack[skipped + count];
    for (u64 i = 8 * count; i < size; i++)
        *((volatile char *)buffer + i) = 0;
    return valid ? 8 * (long)count : -EINVAL;
}

HELPER(long, get_stack, (void *context, void *buffer, u32 size, u64 flags)) { return stack(buffer, size, flags); }

HELPER(long, get_task_stack, (void *task, void *buffer, u32 size, u64 flags)) { return stack(buffer, size, flags); }
