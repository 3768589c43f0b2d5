/* Time: the helpers that read a clock, and the function that sets it. In: nothing. Out: nanoseconds. The rule: one clock
   for all, which stands still but for its readings, each of which moves it by CLOCK_TICK, and for bpf2native_advance; so
   a program's second run is like its first. */
#include "helpers/clock.h"

/* One second after boot: programs that subtract from the time get no surprise. */
weak u64 bpf2native_rt_clock = 1000000000;

/* The kernel's HZ is 250 in most distributions. */
enum { JIFFY = 4000000 };

static u64 reading(void)
{
    return __sync_fetch_and_add(&bpf2native_rt_clock, CLOCK_TICK);
}

HELPER(u64, ktime_get_ns, (void)) { return reading(); }

HELPER(u64, ktime_get_boot_ns, (void)) { return reading(); }

HELPER(u64, ktime_get_tai_ns, (void)) { return reading(); }

/* Of the last jiffy. */
HELPER(u64, ktime_get_coarse_ns, (void))
{
    u64 now = reading();
    return now - now % JIFFY;
}

HELPER(u64, jiffies64, (void)) { return reading() / JIFFY; }

API(void, bpf2native_set_time, (u64 ns)) { __sync_lock_test_and_set(&bpf2native_rt_clock, ns); }
