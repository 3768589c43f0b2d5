/* How many system calls each process makes while a command runs: a script as perf's were.

       bpf2native run syscalls.o -- ls -l */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct bpf_map_def {
    unsigned type, key_size, value_size, max_entries;
};

static int (*bpfu_print)(const char *format, int size, ...) = (void *)10000;
static int (*map_get_next_key)(void *map, const void *key, void *next) = (void *)10001;
static int (*map_lookup_elem)(void *map, const void *key, void *value) = (void *)10002;

#define print(format, ...) \
    ({ \
        char text[] = format; \
        bpfu_print(text, sizeof(text), ##__VA_ARGS__); \
    })

struct process {
    __u32 pid;
    char name[16];
};

struct bpf_map_def SEC("maps") counts = {
    .type = BPF_MAP_TYPE_HASH,
    .key_size = sizeof(struct process),
    .value_size = sizeof(__u64),
    .max_entries = 10240,
};

SEC("raw_syscalls:sys_enter") int count(void *context)
{
    struct process process = {.pid = bpf_get_current_pid_tgid() >> 32};
    __u64 zero = 0, *calls;

    bpf_get_current_comm(process.name, sizeof(process.name));
    calls = bpf_map_lookup_elem(&counts, &process);
    if (!calls) {
        bpf_map_update_elem(&counts, &process, &zero, BPF_NOEXIST);
        calls = bpf_map_lookup_elem(&counts, &process);
    }
    if (calls)
        __sync_fetch_and_add(calls, 1);
    return 0;
}

int BEGIN(void)
{
    print("%8s  %-16s %10s\n", "PID", "NAME", "CALLS");
    return 0;
}

void END(void)
{
    struct process process, *last = 0;
    __u64 calls;

    while (map_get_next_key(&counts, last, &process) == 0) {
        map_lookup_elem(&counts, &process, &calls);
        print("%8u  %-16s %10llu\n", process.pid, process.name, calls);
        last = &process;
    }
}

char LICENSE[] SEC("license") = "GPL";
