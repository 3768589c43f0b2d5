/* Tasks and cgroups as kfuncs know them. In: pids and ids. Out: pointers to structs of zeros, which stand for the current
   task, and for the cgroups that it is in (bpf2native_set_task). The rule: others do not exist; references are not counted,
   since nothing goes away. */
#include "helpers/task.h"
#include "kfuncs/object.h"

/* More than a struct cgroup has. */
enum { CGROUP_SIZE = 8192 };

static struct {
    struct object header; /* of zeros: it is never freed, where a map owns a pointer to it */
    u64 fields[CGROUP_SIZE / 8];
} cgroups[CGROUP_LEVELS];

KFUNC(void *, bpf_task_acquire, (void *task)) { return task; }

KFUNC(void, bpf_task_release, (void *task)) {}

KFUNC(void *, bpf_task_from_pid, (s32 pid))
{
    return (u32)pid == bpf2native_rt_task.pid ? bpf2native_task_struct(NULL) : NULL;
}

KFUNC(void *, bpf_task_from_vpid, (s32 pid))
{
    return (u32)pid == bpf2native_rt_task.pid ? bpf2native_task_struct(NULL) : NULL;
}

/* The level of a cgroup, or one that none has. */
static u32 level_of(const void *cgroup)
{
    for (u32 level = 0; level <= bpf2native_rt_task.cgroup_level; level++)
        if (cgroup == cgroups[level].fields)
            return level;
    return CGROUP_LEVELS;
}

KFUNC(void *, bpf_cgroup_acquire, (void *cgroup)) { return cgroup; }

KFUNC(void, bpf_cgroup_release, (void *cgroup)) {}

KFUNC(void *, bpf_cgroup_from_id, (u64 id))
{
    for (u32 level = 0; level <= bpf2native_rt_task.cgroup_level; level++)
        if (id == bpf2native_rt_task.cgroups[level])
            return cgroups[level].fields;
    return NULL;
}

KFUNC(void *, bpf_cgroup_ancestor, (void *cgroup, s32 level))
{
    return level >= 0 && (u32)level <= level_of(cgroup) && (u32)level <= bpf2native_rt_task.cgroup_level
        ? cgroups[level].fields : NULL;
}

KFUNC(s64, bpf_task_under_cgroup, (void *task, void *cgroup)) { return level_of(cgroup) < CGROUP_LEVELS; }

/* No hierarchies of version 1. */
KFUNC(void *, bpf_task_get_cgroup1, (void *task, s32 hierarchy)) { return NULL; }

/* The iterator of tasks, 24 bytes in programs: there is one. */
struct bpf_iter_task {
    u64 done;
    u64 unused[2];
};

enum { TASK_ALL_PROCS, TASK_ALL_THREADS, TASK_PROC_THREADS };

KFUNC(s32, bpf_iter_task_new, (struct bpf_iter_task *it, void *task, u32 flags))
{
    it->done = flags > TASK_PROC_THREADS || (flags == TASK_PROC_THREADS && !task);
    return it->done ? -EINVAL : 0;
}

KFUNC(void *, bpf_iter_task_next, (struct bpf_iter_task *it))
{
    if (it->done)
        return NULL;
    it->done = 1;
    return bpf2native_task_struct(NULL);
}

KFUNC(void, bpf_iter_task_destroy, (struct bpf_iter_task *it)) {}

/* The iterators of a cgroup's state and of its tasks, 24 and 8 bytes in programs: a cgroup's state (struct
   cgroup_subsys_state) is at its start. */
struct bpf_iter_css {
    u32 at;   /* a level */
    u32 left; /* how many there are yet */
    s32 step; /* from level to level */
    u32 unused[3];
};

enum { DESCENDANTS_PRE = 2, DESCENDANTS_POST, ANCESTORS_UP };

KFUNC(s32, bpf_iter_css_new, (struct bpf_iter_css *it, void *start, u32 order))
{
    u32 level = level_of(start), own = bpf2native_rt_task.cgroup_level;
    it->left = 0;
    if (order < DESCENDANTS_PRE || order > ANCESTORS_UP)
        return -EINVAL;
    if (level == CGROUP_LEVELS)
        return 0;
    it->at = order == DESCENDANTS_POST ? own : level;
    it->step = order == DESCENDANTS_PRE ? 1 : -1;
    it->left = order == ANCESTORS_UP ? level + 1 : own - level + 1;
    return 0;
}

KFUNC(void *, bpf_iter_css_next, (struct bpf_iter_css *it))
{
    if (!it->left)
        return NULL;
    void *cgroup = cgroups[it->at].fields;
    it->at += it->step;
    it->left--;
    return cgroup;
}

KFUNC(void, bpf_iter_css_destroy, (struct bpf_iter_css *it)) {}

/* The task is in the last of its cgroups. */
KFUNC(s32, bpf_iter_css_task_new, (u64 *it, void *cgroup, u32 flags))
{
    *it = flags <= 3 && flags != 2 && level_of(cgroup) == bpf2native_rt_task.cgroup_level;
    return flags > 3 || flags == 2 ? -EINVAL : 0;
}

KFUNC(void *, bpf_iter_css_task_next, (u64 *it))
{
    u64 is_left = *it;
    *it = 0;
    return is_left ? bpf2native_task_struct(NULL) : NULL;
}

KFUNC(void, bpf_iter_css_task_destroy, (u64 *it)) {}

/* There are no statistics of cgroups to be brought together. */
KFUNC(void, cgroup_rstat_updated, (void *cgroup, s32 processor)) {}

KFUNC(void, cgroup_rstat_flush, (void *cgroup)) {}
