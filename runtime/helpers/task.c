/* The current task: who it is. In: what bpf2native_set_task sets; at first pid 1 "bpf2native" of root, in the root cgroup.
   Out: what the helpers say of it. The rule: the same for all threads; a test sets it before it runs a program. */
#include "helpers/task.h"
#include "kfuncs/object.h"

/* More than a struct task_struct has: fields that a program reads of it are 0. */
enum { TASK_SIZE = 16384 };

weak struct bpf2native_task bpf2native_rt_task = { .pid = 1, .tgid = 1, .comm = "bpf2native", .cgroups = { 1 } };

static struct {
    struct object header; /* of zeros: it is never freed, where a map owns a pointer to the task */
    u64 fields[TASK_SIZE / 8];
} task_struct;

static u32 signal, signals;

API(void *, bpf2native_task_struct, (u64 *size))
{
    if (size)
        *size = sizeof task_struct.fields;
    return task_struct.fields;
}

API(long, bpf2native_set_task, (const struct bpf2native_task *task))
{
    if (task->cgroup_level >= CGROUP_LEVELS)
        return -EINVAL;
    bpf2native_rt_task = *task;
    bpf2native_rt_task.comm[COMM_SIZE - 1] = 0;
    return 0;
}

HELPER(u64, get_current_pid_tgid, (void)) { return (u64)bpf2native_rt_task.tgid << 32 | bpf2native_rt_task.pid; }

HELPER(u64, get_current_uid_gid, (void)) { return (u64)bpf2native_rt_task.gid << 32 | bpf2native_rt_task.uid; }

/* What is after the name is zeroed too. */
HELPER(long, get_current_comm, (char *to, u32 size))
{
    for (u32 i = 0; i < size; i++)
        to[i] = i < COMM_SIZE && i + 1 < size ? bpf2native_rt_task.comm[i] : 0;
    return 0;
}

HELPER(void *, get_current_task, (void)) { return task_struct.fields; }

HELPER(void *, get_current_task_btf, (void)) { return task_struct.fields; }

HELPER(u64, get_current_cgroup_id, (void)) { return bpf2native_rt_task.cgroups[bpf2native_rt_task.cgroup_level]; }

HELPER(u64, get_current_ancestor_cgroup_id, (s32 level))
{
    return level < 0 || (u32)level > bpf2native_rt_task.cgroup_level ? 0 : bpf2native_rt_task.cgroups[level];
}

/* The kernel wants the device and inode of a namespace that the task is in; here, any are. */
HELPER(long, get_ns_current_pid_tgid, (u64 device, u64 inode, u32 *result, u32 size))
{
    if (size != 8) {
        for (u32 i = 0; i < size; i++)
            *((volatile char *)result + i) = 0;
        return -EINVAL;
    }
    result[0] = bpf2native_rt_task.pid;
    result[1] = bpf2native_rt_task.tgid;
    return 0;
}

static long record_signal(u32 number)
{
    if (number > 64)
        return -EINVAL;
    signal = number;
    __sync_fetch_and_add(&signals, 1);
    return 0;
}

HELPER(long, send_signal, (u32 number)) { return record_signal(number); }

HELPER(long, send_signal_thread, (u32 number)) { return record_signal(number); }

API(u32, bpf2native_signals, (u32 *last))
{
    if (last)
        *last = signal;
    return __sync_fetch_and_and(&signals, 0);
}
