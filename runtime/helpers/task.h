/* The current task, as the runtime's helpers see it: what bpf2native_set_task sets. */
#ifndef BPF2NATIVE_RUNTIME_TASK_H
#define BPF2NATIVE_RUNTIME_TASK_H

#include "runtime.h"

enum { COMM_SIZE = 16, CGROUP_LEVELS = 8 };

/* Laid out as include/bpf2native_runtime.h has it. */
struct bpf2native_task {
    u32 pid;  /* of the thread, as in the kernel */
    u32 tgid; /* of the process */
    u32 uid;
    u32 gid;
    char comm[COMM_SIZE];       /* ends with 0 */
    u32 cgroup_level;           /* of its cgroup: 0 is the root */
    u32 unused;
    u64 cgroups[CGROUP_LEVELS]; /* ids of the cgroups, from the root to its own, which is at cgroup_level */
};

extern struct bpf2native_task bpf2native_rt_task;

/* Its struct task_struct, of zeros at first, which a test may write to. */
extern void *bpf2native_task_struct(u64 *size);

#endif
