/* How often a command calls a function of a library, and how long each call takes.

       bpf2native run funclat.o -- sort README.md               malloc of libc
       bpf2native run funclat.o -- -f strlen -l libc.so.6 sort README.md */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include "bpf2native.h"
#include "bpf2native_libbpf.h"
#include "histogram.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, __u32); /* the thread */
    __type(value, __u64); /* when it called */
} calling SEC(".maps");

const volatile int workload_pid;
struct histogram times;

static const char *function = "malloc", *library = "libc.so.6";
static struct bpf_link *links[2];

SEC("uprobe") int enter(void *registers)
{
    __u32 thread = bpf_get_current_pid_tgid();
    __u64 now = bpf_ktime_get_ns();

    bpf_map_update_elem(&calling, &thread, &now, BPF_ANY);
    return 0;
}

SEC("uretprobe") int leave(void *registers)
{
    __u32 thread = bpf_get_current_pid_tgid();
    __u64 *since = bpf_map_lookup_elem(&calling, &thread);

    if (!since)
        return 0;
    histogram_add(&times, bpf_ktime_get_ns() - *since);
    bpf_map_delete_elem(&calling, &thread);
    return 0;
}

static struct bpf_program *program(const char *name)
{
    return bpf_object__find_program_by_name(bpf2native_kernel_half(), name);
}

int INIT(int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "+f:l:")) != -1) {
        if (option == 'f')
            function = optarg;
        else if (option == 'l')
            library = optarg;
        else
            return 2;
    }
    /* The sections do not say which function: BEGIN does. */
    bpf_program__set_autoattach(program("enter"), false);
    bpf_program__set_autoattach(program("leave"), false);
    return 0;
}

static struct bpf_link *attach(const char *name, bool returning)
{
    LIBBPF_OPTS(bpf_uprobe_opts, options, .func_name = function, .retprobe = returning);

    return bpf_program__attach_uprobe_opts(program(name), workload_pid ? workload_pid : -1, library, 0, &options);
}

int BEGIN(void)
{
    links[0] = attach("enter", false);
    links[1] = attach("leave", true);
    if (links[0] && links[1])
        return 0;
    fprintf(stderr, "there is no %s in %s\n", function, library);
    return 1;
}

void END(void)
{
    printf("%llu calls of %s:\n", histogram_count(&times), function);
    histogram_print(&times, "nanoseconds");
    bpf_link__destroy(links[0]);
    bpf_link__destroy(links[1]);
}

char LICENSE[] SEC("license") = "GPL";
