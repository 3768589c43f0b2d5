/* Timers as bpf2native_advance runs them, and as maps end them. */
#ifndef BPF2NATIVE_RUNTIME_TIMER_H
#define BPF2NATIVE_RUNTIME_TIMER_H

#include "runtime.h"

/* Runs the first timer that is due at `until`, with the clock at its time. 0 if there is none. */
extern u32 bpf2native_rt_run_timer(u64 until);

/* Ends the timer at `timer`, in a map's value that goes away; maps call it for fields of FIELD_TIMER. */
extern void bpf2native_rt_free_timer(void *timer);

/* Runs the work that is queued (kfuncs/wq.c), and what that queues. 0 if there was none. */
extern u32 bpf2native_rt_run_work(void);

/* Ends the work queue at `wq`, in a map's value that goes away; maps call it for fields of FIELD_WORK_QUEUE. */
extern void bpf2native_rt_free_work(void *wq);

#endif
