/* The kernel half of examples/scripts/syscalls.c in the form that libbpf takes. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct process {
    __u32 pid;
    char name[16];
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, struct process);
    __type(value, __u64);
} counts SEC(".maps");

SEC("tracepoint/raw_syscalls/sys_enter") int count(void *context)
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

char LICENSE[] SEC("license") = "GPL";
