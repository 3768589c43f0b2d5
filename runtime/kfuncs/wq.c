/* Work queues in values of maps: bpf_wq_init, set_callback, start. In: `struct bpf_wq`, 16 bytes, of which the first 8
   become a pointer to what is kept here. Out: calls of callbacks, when bpf2native_advance says that time passes (also 0
   ns of it). The rule: in the order in which they were started; what a callback starts runs after the others. */
#include "helpers/element.h"
#include "maps/common.h"
#include "helpers/timer.h"

typedef long (*work_callback)(struct map *map, void *key, void *value);

struct work {
    struct work *next; /* the next one to run */
    struct map *map;
    void *value;
    work_callback callback;
    u32 queued;
    u32 running; /* calls of the callback that have not returned */
    u32 freed;   /* the map's value is gone; free it after the call */
};

struct bpf_wq {
    struct work *work;
    u64 unused;
};

static u32 lock_word;
static struct work *first;

static void append(struct work *work)
{
    struct work **link = &first;
    while (*link)
        link = &(*link)->next;
    *link = work;
    work->next = NULL;
    work->queued = 1;
}

KFUNC(s32, bpf_wq_init, (struct bpf_wq *field, struct map *map, u32 flags))
{
    if (flags)
        return -EINVAL;
    if (*(struct work *volatile *)&field->work)
        return -EBUSY;
    struct work *work = calloc(1, sizeof *work);
    if (!work)
        return -ENOMEM;
    work->map = map;
    work->value = element_value(map, FIELD_WORK_QUEUE, field);
    if (__sync_val_compare_and_swap((u64 *)&field->work, 0, (u64)work)) {
        free(work);
        return -EBUSY;
    }
    return 0;
}

KFUNC(s32, bpf_wq_set_callback_impl, (struct bpf_wq *field, work_callback callback, u32 flags, void *program))
{
    if (flags)
        return -EINVAL;
    lock(&lock_word);
    struct work *work = field->work;
    if (work)
        work->callback = callback;
    unlock(&lock_word);
    return work ? 0 : -EINVAL;
}

KFUNC(s32, bpf_wq_start, (struct bpf_wq *field, u32 flags))
{
    if (flags)
        return -EINVAL;
    lock(&lock_word);
    struct work *work = field->work;
    u32 ready = work && work->callback;
    if (ready && !work->queued)
        append(work);
    unlock(&lock_word);
    return ready ? 0 : -EINVAL;
}

static void run(struct work *work)
{
    void *key = element_key(work->map, work->value);
    if (key) {
        work->callback(work->map, key, work->value);
        free(key);
    }
    lock(&lock_word);
    work->running--;
    u32 done = work->freed && !work->running;
    unlock(&lock_word);
    if (done)
        free(work);
}

weak u32 bpf2native_rt_run_work(void)
{
    lock(&lock_word);
    struct work *work = first;
    if (work) {
        first = work->next;
        work->queued = 0;
        work->running++;
    }
    unlock(&lock_word);
    if (work)
        run(work);
    return work != NULL;
}

weak void bpf2native_rt_free_work(void *field)
{
    lock(&lock_word);
    struct work *work = ((struct bpf_wq *)field)->work;
    ((struct bpf_wq *)field)->work = NULL;
    if (work) {
        struct work **link = &first;
        while (*link && *link != work)
            link = &(*link)->next;
        if (*link)
            *link = work->next;
        work->queued = 0;
        work->freed = 1;
        if (work->running)
            work = NULL;
    }
    unlock(&lock_word);
    free(work);
}
