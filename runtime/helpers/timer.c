/* Timers in values of maps: bpf_timer_init, set_callback, start, cancel. In: `struct bpf_timer`, 16 bytes, of which the
   first 8 become a pointer to what is kept here. Out: calls of callbacks, when bpf2native_advance says that time passes.
   The rule: in order of expiry, those of one time in the order in which they were started; a timer that starts itself
   again is due a tick later at the earliest, so that time does pass. */
#include "helpers/clock.h"
#include "helpers/element.h"
#include "maps/common.h"
#include "helpers/timer.h"

enum { EDEADLK = 35 };
enum { CLOCK_REALTIME = 0, CLOCK_MONOTONIC = 1, CLOCK_BOOTTIME = 7, MAX_CLOCKS = 16 };
enum { BPF_F_TIMER_ABS = 1, BPF_F_TIMER_CPU_PIN = 2 };

typedef long (*timer_callback)(struct map *map, void *key, void *value);

struct timer {
    struct timer *next;      /* the next one to run */
    struct map *map;
    void *value;
    timer_callback callback; /* NULL: none is set, or cancelled */
    u64 expiry;              /* in the clock's nanoseconds */
    u32 active;              /* whether it is in `queue` */
    u32 running;             /* calls of the callback that have not returned */
    u32 freed;               /* the map's value is gone; free it after the call */
};

struct bpf_timer {
    struct timer *timer;
    u64 unused;
};

static u32 lock_word;
static struct timer *queue; /* sorted */

static void take_out(struct timer *timer)
{
    if (!timer->active)
        return;
    struct timer **link = &queue;
    while (*link != timer)
        link = &(*link)->next;
    *link = timer->next;
    timer->active = 0;
}

static void put_in(struct timer *timer)
{
    struct timer **link = &queue;
    while (*link && (*link)->expiry <= timer->expiry)
        link = &(*link)->next;
    timer->next = *link;
    *link = timer;
    timer->active = 1;
}

HELPER(long, timer_init, (struct bpf_timer *field, struct map *map, u64 flags))
{
    if (flags >= MAX_CLOCKS || (flags != CLOCK_REALTIME && flags != CLOCK_MONOTONIC && flags != CLOCK_BOOTTIME))
        return -EINVAL;
    if (*(struct timer *volatile *)&field->timer)
        return -EBUSY;
    struct timer *timer = calloc(1, sizeof *timer);
    if (!timer)
        return -ENOMEM;
    timer->map = map;
    timer->value = element_value(map, FIELD_TIMER, field);
    if (__sync_val_compare_and_swap((u64 *)&field->timer, 0, (u64)timer)) {
        free(timer);
        return -EBUSY;
    }
    return 0;
}

HELPER(long, timer_set_callback, (struct bpf_timer *field, timer_callback callback))
{
    lock(&lock_word);
    struct timer *timer = field->timer;
    if (timer)
        timer->callback = callback;
    unlock(&lock_word);
    return timer ? 0 : -EINVAL;
}

HELPER(long, timer_start, (struct bpf_timer *field, u64 nsecs, u64 flags))
{
    if (flags & ~(u64)(BPF_F_TIMER_ABS | BPF_F_TIMER_CPU_PIN))
        return -EINVAL;
    long result = -EINVAL;
    lock(&lock_word);
    struct timer *timer = field->timer;
    if (timer && timer->callback) {
        u64 now = clock_now(), expiry = flags & BPF_F_TIMER_ABS ? nsecs : now + nsecs;
        if (expiry < now && !(flags & BPF_F_TIMER_ABS))
            expiry = ~0ul;
        if (timer->running && expiry < now + CLOCK_TICK)
            expiry = now + CLOCK_TICK;
        take_out(timer);
        timer->expiry = expiry;
        put_in(timer);
        result = 0;
    }
    unlock(&lock_word);
    return result;
}

/* 1 if it was active, 0 if not. The kernel waits for a callback that another processor runs; here, it goes on. */
HELPER(long, timer_cancel, (struct bpf_timer *field))
{
    long result = -EINVAL;
    lock(&lock_word);
    struct timer *timer = field->timer;
    if (timer && timer->running) {
        result = -EDEADLK;
    } else if (timer) {
        result = timer->active;
        take_out(timer);
        timer->callback = NULL;
    }
    unlock(&lock_word);
    return result;
}

weak u32 bpf2native_rt_run_timer(u64 until)
{
    lock(&lock_word);
    struct timer *timer = queue;
    if (!timer || timer->expiry > until) {
        unlock(&lock_word);
        return 0;
    }
    take_out(timer);
    timer->running++;
    timer_callback callback = timer->callback;
    clock_reach(timer->expiry);
    unlock(&lock_word);
    void *key = element_key(timer->map, timer->value);
    if (key) {
        callback(timer->map, key, timer->value);
        free(key);
    }
    lock(&lock_word);
    timer->running--;
    u32 done = timer->freed && !timer->running;
    unlock(&lock_word);
    if (done)
        free(timer);
    return 1;
}

weak void bpf2native_rt_free_timer(void *field)
{
    lock(&lock_word);
    struct timer *timer = ((struct bpf_timer *)field)->timer;
    ((struct bpf_timer *)field)->timer = NULL;
    if (timer) {
        take_out(timer);
        timer->freed = 1;
        if (timer->running)
            timer = NULL;
    }
    unlock(&lock_word);
    free(timer);
}
