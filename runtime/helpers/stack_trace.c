/* Helper 27, get_stackid. Translated code keeps no stack that could be walked from here, so a trace has one frame, and it is
   the same for all that run on one kind of stack: programs that count by id work, and find one stack. */
#include "maps/stack_trace.h"

enum { BPF_F_SKIP_FIELD_MASK = 0xff, BPF_F_USER_STACK = 1 << 8, KNOWN = 0x7ff };

/* Addresses that nothing has: of a frame of the kernel, and of one of user space. */
#define KERNEL_FRAME 0xffffffff81000000ul
#define USER_FRAME 0x400000ul

HELPER(long, get_stackid, (void *context, struct map *map, u64 flags)) {
    if (flags & ~(u64)KNOWN) return -EINVAL;
    long error = map_ready(map);
    if (error) return error;
    /* As the kernel says that all frames were skipped. */
    if (flags & BPF_F_SKIP_FIELD_MASK) return -EFAULT;
    u64 frame = flags & BPF_F_USER_STACK ? USER_FRAME : KERNEL_FRAME;
    return bpf2native_rt_stack_put(map, &frame, 1, flags);
}
