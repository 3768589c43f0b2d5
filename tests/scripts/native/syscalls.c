/* The twin of examples/scripts/syscalls.c. */
#include "twin.h"

struct process {
    unsigned pid;
    char name[16];
};

int main(int argc, char **argv)
{
    struct bpf_object *object = open_object(argv[1]);
    struct process process, *last = NULL;
    unsigned long long calls;
    int status, counts;

    hold(argv + 2);
    start(object);
    printf("%8s  %-16s %10s\n", "PID", "NAME", "CALLS");
    status = loop(NULL, 0, NULL);
    counts = bpf_map__fd(map_named(object, "counts"));
    while (bpf_map_get_next_key(counts, last, &process) == 0) {
        bpf_map_lookup_elem(counts, &process, &calls);
        printf("%8u  %-16s %10llu\n", process.pid, process.name, calls);
        last = &process;
    }
    return status;
}
