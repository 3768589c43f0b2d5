/* Functions of the kernel that programs attach to, or take the address of: those that every kernel has for tests of that
   (net/bpf/test_run.c), and `schedule`. In: arguments of their types. Out: what theirs return. */
#include "runtime.h"

KFUNC(s32, bpf_fentry_test1, (s32 a)) { return a + 1; }

KFUNC(s32, bpf_fentry_test2, (s32 a, u64 b)) { return a + b; }

KFUNC(s32, bpf_fentry_test3, (s8 a, s32 b, u64 c)) { return a + b + c; }

KFUNC(s32, bpf_fentry_test4, (void *a, s8 b, s32 c, u64 d)) { return (s64)a + b + c + d; }

KFUNC(s32, bpf_fentry_test5, (u64 a, void *b, s16 c, s32 d, u64 e)) { return a + (s64)b + c + d + e; }

KFUNC(s32, bpf_fentry_test6, (u64 a, void *b, s16 c, s32 d, void *e)) { return a + (s64)b + c + d + (s64)e; }

KFUNC(s32, bpf_fentry_test7, (void *a)) { return (s64)a; }

KFUNC(s32, bpf_fentry_test8, (void **a)) { return (s64)*a; }

KFUNC(s32, bpf_modify_return_test, (s32 a, s32 *b))
{
    *b += 1;
    return a + *b;
}

/* Where the count of references is in a struct prog_test_ref_kfunc. */
enum { REFERENCES = 24 };

KFUNC(void, bpf_kfunc_call_test_release, (void *object))
{
    if (object)
        __sync_fetch_and_sub((u32 *)((char *)object + REFERENCES), 1);
}

/* Other threads may run. */
extern s32 sched_yield(void);

KFUNC(void, schedule, (void)) { sched_yield(); }
