/* Locks of the kernel that a process does not need, and resilient spin locks, which it does. In: struct bpf_res_spin_lock,
   4 bytes, 0 when free. Out: 0, or why the lock is not taken. The rule: RCU, preemption and interrupts are no matter of a
   process, so their locks do nothing; a resilient lock knows its owner, so that taking it twice is -EDEADLK, and waits no
   longer than TRIES, after which it is -ETIMEDOUT. */
#include "runtime.h"

extern u64 pthread_self(void);
extern int sched_yield(void);

enum { EDEADLK = 35, ETIMEDOUT = 110 };
enum { TRIES = 1 << 20 };

KFUNC(void, bpf_rcu_read_lock, (void)) {}

KFUNC(void, bpf_rcu_read_unlock, (void)) {}

KFUNC(void, bpf_preempt_disable, (void)) {}

KFUNC(void, bpf_preempt_enable, (void)) {}

KFUNC(void, bpf_local_irq_save, (u64 *flags)) { *flags = 0; }

KFUNC(void, bpf_local_irq_restore, (u64 *flags)) {}

/* Of this thread, and not 0: threads lie at least 16 KiB apart. */
static u32 owner(void) { return (u32)(pthread_self() >> 12) | 1u << 31; }

static s32 take(u32 *lock)
{
    u32 self = owner();
    for (u32 tries = 0; tries < TRIES; tries++) {
        u32 holder = __sync_val_compare_and_swap(lock, 0, self);
        if (!holder)
            return 0;
        if (holder == self)
            return -EDEADLK;
        sched_yield();
    }
    return -ETIMEDOUT;
}

KFUNC(s32, bpf_res_spin_lock, (u32 *lock)) { return take(lock); }

KFUNC(void, bpf_res_spin_unlock, (u32 *lock)) { __sync_lock_test_and_set(lock, 0); }

KFUNC(s32, bpf_res_spin_lock_irqsave, (u32 *lock, u64 *flags))
{
    *flags = 0;
    return take(lock);
}

KFUNC(void, bpf_res_spin_unlock_irqrestore, (u32 *lock, u64 *flags)) { __sync_lock_test_and_set(lock, 0); }
