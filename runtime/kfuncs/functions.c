/* Functions of the kernel that programs attach to, call, or take the address of: those that kernels have for tests of that
   (net/bpf/test_run.c, in 5.13 to 6.2 more than in others), and `schedule`. In: arguments of their types. Out: what theirs return. */
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

KFUNC(u64, bpf_kfunc_call_test1, (void *sk, u32 a, u64 b, u32 c, u64 d)) { return a + b + c + d; }

KFUNC(s32, bpf_kfunc_call_test2, (void *sk, u32 a, u32 b)) { return a + b; }

KFUNC(void *, bpf_kfunc_call_test3, (void *sk)) { return sk; }

/* struct prog_test_ref_kfunc */
struct counted {
    s32 a, b;
    s32 member[2];
    struct counted *next;
    u32 references;
};

enum { REFERENCES = offset_of(struct counted, references) };

static struct counted counted = { .a = 42, .b = 108, .references = 1 };

KFUNC(void *, bpf_kfunc_call_test_acquire, (u64 *scalar))
{
    counted.next = &counted;
    __sync_fetch_and_add(&counted.references, 1);
    return &counted;
}

/* Looks at the count, and does nothing. */
KFUNC(void, bpf_kfunc_call_test_ref, (void *object)) {}

KFUNC(void, bpf_kfunc_call_test_release, (void *object))
{
    if (object)
        __sync_fetch_and_sub((u32 *)((char *)object + REFERENCES), 1);
}

/* Other threads may run. */
extern s32 sched_yield(void);

KFUNC(void, schedule, (void)) { sched_yield(); }
