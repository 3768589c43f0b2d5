/* The command that a script runs: forked, held, started, waited for. In: its words. Out: a process, and how it ended. The rule: it
   does not begin before the kernel half is attached; if the script ends before that, it never begins. A process that is
   held waits for a byte of a pipe, and a failed execve(2) is told by another one, which a successful one closes. */
#include "script/script.h"

/* As shells have it. */
enum { NOT_STARTED = 126, NOT_FOUND = 127, BY_SIGNAL = 128 };

static int process;
static const char *command;
static int ready[2], start[2], failure[2];
static u32 is_held, is_dropped, has_ended;
static int exit_status;

/* What the child does. */
static void hold(char **words) {
    char byte = 0;
    long got;
    close(start[1]);
    write(ready[1], &byte, 1);
    do got = read(start[0], &byte, 1);
    while (got < 0 && errno == EINTR);
    if (got == 1) {
        execvp(words[0], words);
        int error = errno;
        write(failure[1], &error, sizeof error);
    }
    _exit(NOT_FOUND);
}

weak int bpf2native_rt_script_fork(char **words) {
    if (pipe2(ready, O_CLOEXEC) || pipe2(start, O_CLOEXEC) || pipe2(failure, O_CLOEXEC)) {
        say("no pipe for the workload: %s\n", strerror(errno));
        return 1;
    }
    fflush(NULL);
    int child = fork();
    if (!child) hold(words);
    if (child < 0) {
        say("the workload cannot be started: %s\n", strerror(errno));
        return 1;
    }
    close(ready[1]);
    close(failure[1]);
    /* From here on it does nothing, so that a kernel half sees nothing of it before it begins. */
    char byte;
    long got;
    do got = read(ready[0], &byte, 1);
    while (got < 0 && errno == EINTR);
    close(ready[0]);
    process = child;
    command = words[0];
    is_held = 1;
    return 0;
}

weak u32 bpf2native_rt_script_workload(void) { return process; }

static void wait_for(int options) {
    int status, got;
    do got = waitpid(process, &status, options);
    while (got < 0 && errno == EINTR);
    if (!got) return;
    has_ended = 1;
    /* No process of this id: a script's own wait has taken it. */
    if (got < 0) exit_status = 0;
    else if (status & 0x7f) exit_status = BY_SIGNAL + (status & 0x7f);
    else exit_status = status >> 8 & 0xff;
}

weak int bpf2native_rt_script_go(void) {
    /* This process has the pipe's other end too: a child that was killed meanwhile is no SIGPIPE. */
    char byte = 0;
    int error = 0;
    long got;
    /* What BEGIN has printed comes before what the workload prints. */
    fflush(NULL);
    write(start[1], &byte, 1);
    do got = read(failure[0], &error, sizeof error);
    while (got < 0 && errno == EINTR);
    close(start[0]);
    close(start[1]);
    close(failure[0]);
    is_held = 0;
    if (got != sizeof error) return 0;
    wait_for(0);
    int missing = error == ENOENT;
    if (missing) say("`%s`: no such command\n", command);
    else say("`%s` cannot be started: %s\n", command, strerror(error));
    return missing ? NOT_FOUND : NOT_STARTED;
}

weak int bpf2native_rt_script_ended(int *status) {
    if (!process || is_dropped) return 0;
    if (!has_ended) wait_for(WNOHANG);
    *status = exit_status;
    return has_ended;
}

weak void bpf2native_rt_script_terminate(void) {
    if (process && !has_ended) kill(process, SIGTERM);
}

weak void bpf2native_rt_script_drop(void) {
    if (!is_held) return;
    is_held = 0;
    is_dropped = 1;
    close(start[1]);
    wait_for(0);
}
