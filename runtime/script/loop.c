/* The script while it runs: what is ready is served, in turn. In: the signals' descriptor, timers, buffers, the workload or -p's
   process, --duration. Out: the signal that asked for the end, or 0. The rule: the workload is never ended by force
   after SIGINT, which it gets from the terminal itself; after SIGTERM, --duration and the end of -p's process it gets SIGTERM,
   and its end is waited for. */
#include "script/script.h"

/* How often buffers are looked at whose programs do not wake anybody (BPF_RB_NO_WAKEUP), and a process without a pidfd. */
enum { PERIOD = 100 };

struct loop {
    struct pollfd *files;
    u32 count;
    u32 timers;  /* where those begin */
    u32 sources;
    u32 ending;  /* it is asked to end, and the workload is waited for */
};

static void add(struct loop *loop, int fd) {
    loop->files[loop->count].fd = fd;
    loop->files[loop->count++].events = POLLIN;
}

/* The descriptors: signals, --duration, -p's process, timers, buffers. A negative one is passed over by poll(2). */
static int open_loop(struct loop *loop, const struct script_options *options, int signals) {
    u32 timers = bpf2native_rt_script_timer_count(), sources = bpf2native_rt_script_source_count();
    loop->files = calloc(timers + sources + 3, sizeof *loop->files);
    if (!loop->files) return -ENOMEM;
    add(loop, signals);
    add(loop, options->duration ? bpf2native_rt_script_alarm(options->duration) : -1);
    if (options->duration && loop->files[1].fd < 0) return loop->files[1].fd;
    add(loop, options->pid ? syscall(NR_PIDFD_OPEN, (u64)options->pid, 0ul) : -1);
    loop->timers = loop->count;
    for (u32 i = 0; i < timers; i++) add(loop, bpf2native_rt_script_timer(i));
    loop->sources = loop->count;
    for (u32 i = 0; i < sources; i++) add(loop, bpf2native_rt_script_source(i));
    return 0;
}

static void serve(struct loop *loop, int nothing) {
    for (u32 i = loop->timers; i < loop->sources; i++)
        if (loop->files[i].revents) bpf2native_rt_script_tick(i - loop->timers);
    for (u32 i = loop->sources; i < loop->count; i++)
        if (nothing || loop->files[i].revents) bpf2native_rt_script_receive(i - loop->sources);
}

/* Whether -p's process has ended. */
static int is_gone(struct loop *loop, u32 pid) {
    return pid && (loop->files[2].revents || (kill(pid, 0) && errno == ESRCH));
}

/* Whether the script ends now. */
static int is_over(struct loop *loop, const struct script_options *options) {
    int status, asked = bpf2native_rt_script_asked();
    if (bpf2native_rt_script_ended(&status) || asked == SIGINT) return 1;
    if (!loop->ending && (asked || loop->files[1].revents || is_gone(loop, options->pid))) {
        loop->ending = 1;
        loop->files[1].fd = loop->files[2].fd = -1;
        bpf2native_rt_script_terminate();
    }
    return loop->ending && !bpf2native_rt_script_workload();
}

weak int bpf2native_rt_script_loop(const struct script_options *options, int signals) {
    struct loop loop = {0};
    int error = open_loop(&loop, options, signals);
    if (error) say("the script cannot wait: %s\n", strerror(-error));
    int period = loop.sources < loop.count || (options->pid && loop.files[2].fd < 0) ? PERIOD : -1;
    while (!error && !is_over(&loop, options)) {
        int ready = poll(loop.files, loop.count, period);
        if (ready >= 0) serve(&loop, !ready);
        else if (errno != EINTR) break;
        else for (u32 i = 0; i < loop.count; i++) loop.files[i].revents = 0;
    }
    for (u32 i = 1; loop.files && i < loop.timers; i++)
        if (loop.files[i].fd >= 0) close(loop.files[i].fd);
    free(loop.files);
    return bpf2native_rt_script_asked();
}
