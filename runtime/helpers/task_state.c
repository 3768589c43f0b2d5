/* What belongs to the current task beside who it is: its registers, its memory areas, its cgroup in a map. In: what
   bpf2native_task_registers gives a test to write to. Out: those. The rule: a task has no memory of its own, as a kernel thread. */
#include "helpers/task.h"
#include "maps/common.h"

/* More than a struct pt_regs has. */
enum { REGISTERS_SIZE = 512 };

static u64 registers[REGISTERS_SIZE / 8];

API(void *, bpf2native_task_registers, (u64 *size))
{
    if (size)
        *size = sizeof registers;
    return registers;
}

HELPER(void *, task_pt_regs, (void *task)) { return registers; }

/* A map's cgroups are those that the task is in, as with bpf_skb_under_cgroup. */
HELPER(long, current_task_under_cgroup, (struct map *groups, u32 index))
{
    if (index >= groups->max_entries)
        return -E2BIG;
    return !map_ready(groups) && groups->ops->lookup(groups, &index) ? 1 : -EAGAIN;
}

/* The iterator of a task's memory areas, 8 bytes in programs. */
KFUNC(s32, bpf_iter_task_vma_new, (u64 *it, void *task, u64 address))
{
    *it = 0;
    return -ENOENT;
}

KFUNC(void *, bpf_iter_task_vma_next, (u64 *it)) { return NULL; }

KFUNC(void, bpf_iter_task_vma_destroy, (u64 *it)) {}
