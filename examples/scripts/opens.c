/* Which files a command opens, and how long that takes.

       bpf2native run opens.o -- ls -l
       bpf2native run opens.o -- -f ls -l        only those that it does not get */
#include <errno.h>
#include <getopt.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <bpf/bpf_helpers.h>
#include "bpf2native.h"
#include "histogram.h"

struct enter {
    __u64 common;
    long number, folder;
    const char *path;
};

struct leave {
    __u64 common;
    long number, result;
};

struct opening {
    __u64 since;
    const char *path;
};

struct opened {
    __u64 nanoseconds;
    int result;
    char path[256];
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, __u32); /* the thread */
    __type(value, struct opening);
} openings SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 20);
} events SEC(".maps");

/* Set from outside, before the kernel half is loaded: for it, these are constants. */
const volatile int workload_pid;
const volatile bool only_failures;

/* Written by the kernel half, read by the user half. */
struct histogram times;
__u64 unseen;

SEC("tracepoint/syscalls/sys_enter_openat") int enter(struct enter *call)
{
    __u64 id = bpf_get_current_pid_tgid();
    struct opening opening = {.since = bpf_ktime_get_ns(), .path = call->path};
    __u32 thread = id;

    if (!workload_pid || id >> 32 == workload_pid)
        bpf_map_update_elem(&openings, &thread, &opening, BPF_ANY);
    return 0;
}

SEC("tracepoint/syscalls/sys_exit_openat") int leave(struct leave *call)
{
    __u32 thread = bpf_get_current_pid_tgid();
    struct opening *opening = bpf_map_lookup_elem(&openings, &thread);
    struct opened *opened;
    __u64 nanoseconds;

    if (!opening)
        return 0;
    nanoseconds = bpf_ktime_get_ns() - opening->since;
    histogram_add(&times, nanoseconds);
    if (call->result < 0 || !only_failures) {
        opened = bpf_ringbuf_reserve(&events, sizeof(*opened), 0);
        if (opened) {
            opened->nanoseconds = nanoseconds;
            opened->result = call->result;
            bpf_probe_read_user_str(opened->path, sizeof(opened->path), opening->path);
            bpf_ringbuf_submit(opened, 0);
        } else {
            __sync_fetch_and_add(&unseen, 1);
        }
    }
    bpf_map_delete_elem(&openings, &thread);
    return 0;
}

int INIT(int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "+f")) != -1) {
        if (option != 'f')
            return 2;
        set_constant(only_failures, true);
    }
    return 0;
}

void EVENT(struct opened *opened, int size)
{
    const char *result = opened->result < 0 ? strerror(-opened->result) : "";

    printf("%8llu ns  %s%s%s\n", opened->nanoseconds, opened->path, *result ? ": " : "", result);
}

void END(void)
{
    printf("\n%llu files were opened, or not:\n", histogram_count(&times));
    histogram_print(&times, "nanoseconds");
    if (unseen)
        printf("%llu lines are missing: they came too fast\n", unseen);
}

char LICENSE[] SEC("license") = "GPL";
