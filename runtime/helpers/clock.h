/* The runtime's clock: what bpf_ktime_get_ns and timers share. All of the kernel's clocks are this one. */
#ifndef BPF2NATIVE_RUNTIME_CLOCK_H
#define BPF2NATIVE_RUNTIME_CLOCK_H

#include "runtime.h"

/* How far a reading moves the clock, in nanoseconds: time passes, and programs that wait for it end. */
enum { CLOCK_TICK = 1000 };

/* Nanoseconds since boot; helpers/clock.c defines it. */
extern u64 bpf2native_rt_clock;

/* The time, without its moving on. */
static inline u64 clock_now(void)
{
    return *(volatile u64 *)&bpf2native_rt_clock;
}

/* Sets the clock to `time`, if that is later. */
static inline void clock_reach(u64 time)
{
    u64 now = clock_now();
    while (now < time) {
        u64 seen = __sync_val_compare_and_swap(&bpf2native_rt_clock, now, time);
        if (seen == now)
            return;
        now = seen;
    }
}

#endif
