/* TIMER functions, and spans of time. In: `TIMER/100ms` sections, set_timer's seconds. Out: descriptors that can be read when a
   function is due. The rule: a function that is late is called once, however often it was due. */
#include "script/script.h"

struct timer {
    const struct script_function *of;
    int fd;
};

static struct timer *timers;
static u32 count;
static u32 made;
/* What set_timer asked for before there were timers. */
static u64 wanted;

static int open_timer(void) { return timerfd_create(CLOCK_MONOTONIC, O_CLOEXEC | O_NONBLOCK); }

static int arm(int fd, u64 first, u64 interval) {
    struct timer_setting setting = {{interval / 1000000000, interval % 1000000000}, {first / 1000000000, first % 1000000000}};
    return timerfd_settime(fd, 0, &setting, NULL) ? -errno : 0;
}

static int arm_unnamed(void) {
    int error = -ENOENT;
    for (u32 i = 0; i < count; i++)
        if (!timers[i].of->argument) error = arm(timers[i].fd, wanted, wanted);
    return error;
}

/* Helper 10003: TIMER runs every so many seconds; 0 stops it. -ENOENT if there is none. */
API(int, bpf_script_set_timer, (int seconds)) {
    if (seconds < 0) return -EINVAL;
    wanted = seconds * 1000000000ul;
    return made ? arm_unnamed() : 0;
}

static int start(struct timer *timer) {
    const char *text = timer->of->argument;
    u64 interval = text ? bpf2native_rt_script_time(text) : wanted;
    if (text && !interval) {
        say("TIMER/%s: no time such as 5, 0.5s, 100ms, 2m\n", text);
        return 1;
    }
    timer->fd = open_timer();
    int error = timer->fd < 0 ? -errno : arm(timer->fd, interval, interval);
    if (error) say("TIMER: no timer: %s\n", strerror(-error));
    return error != 0;
}

weak int bpf2native_rt_script_timers(void) {
    timers = calloc(bpf_script->function_count + 1, sizeof *timers);
    if (!timers) return bpf2native_rt_script_no_memory();
    made = 1;
    for (u64 i = 0; i < bpf_script->function_count; i++) {
        if (bpf_script->functions[i].kind != SCRIPT_TIMER) continue;
        struct timer *timer = &timers[count++];
        timer->of = &bpf_script->functions[i];
        int status = start(timer);
        if (status) return status;
    }
    return 0;
}

weak u32 bpf2native_rt_script_timer_count(void) { return count; }

weak int bpf2native_rt_script_timer(u32 index) { return timers[index].fd; }

weak void bpf2native_rt_script_tick(u32 index) {
    u64 times;
    if (read(timers[index].fd, &times, sizeof times) == sizeof times) ((void (*)(void))timers[index].of->function)();
}

weak int bpf2native_rt_script_alarm(u64 nanoseconds) {
    int fd = open_timer();
    int error = fd < 0 ? -errno : arm(fd, nanoseconds, 0);
    return error ? error : fd;
}
