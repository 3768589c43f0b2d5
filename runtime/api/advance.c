/* Time that passes: bpf2native_advance. In: how much. Out: calls of the callbacks of work queues and timers. The rule: work
   that is queued runs first, then each timer that is due by then, with the clock at its time, and what work it queues; at
   the end the clock is where it should be, or later if the callbacks' readings took it there. Work that queues itself
   again waits for the next call. */
#include "helpers/clock.h"
#include "helpers/timer.h"

/* More work at once is work that queues itself. */
enum { WORK = 4096 };

static void run_work(void)
{
    for (u32 i = 0; i < WORK && bpf2native_rt_run_work(); i++)
        ;
}

API(void, bpf2native_advance, (u64 ns))
{
    u64 now = clock_now(), until = now + ns < now ? ~0ul : now + ns;
    do
        run_work();
    while (bpf2native_rt_run_timer(until));
    clock_reach(until);
}
