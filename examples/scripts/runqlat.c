/* How long threads that could run wait for a processor.

       bpf2native run runqlat.o -- make -j8      the threads of this one process
       bpf2native run runqlat.o -- -i 1          of all processes, each second, until Ctrl-C */
#include <getopt.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf2native.h"
#include "histogram.h"

struct task_struct {
    int pid, tgid;
    unsigned __state;
} __attribute__((preserve_access_index));

enum { RUNNING = 0 };

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 65536);
    __type(key, int); /* the thread */
    __type(value, __u64); /* since when it waits */
} waiting SEC(".maps");

const volatile int workload_pid;
struct histogram times;

static void waits(struct task_struct *task)
{
    __u64 now = bpf_ktime_get_ns();
    int thread = task->pid;

    if (thread && (!workload_pid || task->tgid == workload_pid))
        bpf_map_update_elem(&waiting, &thread, &now, BPF_ANY);
}

SEC("tp_btf/sched_wakeup") int BPF_PROG(sched_wakeup, struct task_struct *task)
{
    waits(task);
    return 0;
}

SEC("tp_btf/sched_wakeup_new") int BPF_PROG(sched_wakeup_new, struct task_struct *task)
{
    waits(task);
    return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(sched_switch, bool preempted, struct task_struct *previous, struct task_struct *next)
{
    int thread = next->pid;
    __u64 *since = bpf_map_lookup_elem(&waiting, &thread);

    if (previous->__state == RUNNING)
        waits(previous);
    if (since) {
        histogram_add(&times, bpf_ktime_get_ns() - *since);
        bpf_map_delete_elem(&waiting, &thread);
    }
    return 0;
}

int INIT(int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "+i:")) != -1) {
        if (option != 'i')
            return 2;
        set_timer(atoi(optarg));
    }
    return 0;
}

static void show(void)
{
    __u64 count = histogram_count(&times);
    double sum = bpf2native_from_long(times.sum), average = bpf2native_div(sum, bpf2native_from_long(count ? count : 1));

    histogram_print(&times, "nanoseconds");
    printf("%llu waits of %.1f nanoseconds on average\n\n", count, average);
}

void TIMER(void)
{
    show();
    memset(&times, 0, sizeof(times));
}

void END(void)
{
    show();
}

char LICENSE[] SEC("license") = "GPL";
