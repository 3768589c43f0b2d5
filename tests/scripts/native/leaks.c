/* The twin of examples/scripts/leaks.c. */
#include "twin.h"

enum { MOST = 100000 };

struct place {
    unsigned long long offset;
    char file[32];
};

struct allocation {
    struct place place;
    unsigned long long size;
};

static struct allocation leaks[MOST];

static int by_place(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct place));
}

int main(int argc, char **argv)
{
    struct bpf_object *object = open_object(argv[1]);
    unsigned long long address, total = 0, *last = NULL, missed;
    long count = 0, next;
    int allocations, status;

    hold(argv + 2);
    *(int *)variable(object, "workload_pid") = workload_pid;
    start(object);
    status = loop(NULL, 0, NULL);
    allocations = bpf_map__fd(map_named(object, "allocations"));
    while (bpf_map_get_next_key(allocations, last, &address) == 0) {
        bpf_map_lookup_elem(allocations, &address, &leaks[count++]);
        last = &address;
    }
    qsort(leaks, count, sizeof(*leaks), by_place);
    for (long first = 0; first < count; first = next) {
        unsigned long long bytes = 0;

        for (next = first; next < count && by_place(&leaks[first], &leaks[next]) == 0; next++)
            bytes += leaks[next].size;
        printf("%12llu bytes in %6ld pieces  %s+0x%llx\n", bytes, next - first, leaks[first].place.file,
            leaks[first].place.offset);
        total += bytes;
    }
    printf("%12llu bytes in %6ld pieces are not freed\n", total, count);
    missed = *(unsigned long long *)variable(object, "missed");
    if (missed)
        printf("%llu more are not counted: there were too many at the same time\n", missed);
    return status;
}
