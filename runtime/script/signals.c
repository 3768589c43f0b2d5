/* SIGINT, SIGTERM and SIGCHLD. In: signals to any thread. Out: a descriptor to poll, and which one asked for the end. The rule: the
   first SIGINT or SIGTERM asks, the second ends the process at once. Handlers, and not a blocked set with signalfd(2): threads
   that a script has made would take the signals, and commands that it runs would inherit the set. */
#include "script/script.h"

static int ends[2];
static u32 asked;

static void on_signal(int number) {
    int error = errno;
    if (number != SIGCHLD && __sync_val_compare_and_swap(&asked, 0, number)) {
        /* It comes when this handler returns. */
        signal(number, SIG_DFL);
        raise(number);
    }
    char byte = number;
    write(ends[1], &byte, 1);
    errno = error;
}

weak int bpf2native_rt_script_signals(void) {
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK)) return -errno;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGCHLD, on_signal);
    return ends[0];
}

weak int bpf2native_rt_script_asked(void) {
    char bytes[64];
    while (read(ends[0], bytes, sizeof bytes) > 0)
        ;
    return __atomic_load_n(&asked, __ATOMIC_ACQUIRE);
}

weak void bpf2native_rt_script_signals_end(void) {
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
}
