/* The twin of examples/scripts/opens.c. */
#include "twin.h"
#include "../../../examples/scripts/histogram.h"

struct opened {
    unsigned long long nanoseconds;
    int result;
    char path[256];
};

static int event(void *context, void *data, size_t size)
{
    const struct opened *opened = data;
    const char *result = opened->result < 0 ? strerror(-opened->result) : "";

    printf("%8llu ns  %s%s%s\n", opened->nanoseconds, opened->path, *result ? ": " : "", result);
    return 0;
}

int main(int argc, char **argv)
{
    struct bpf_object *object = open_object(argv[1]);
    struct histogram *times;
    struct ring_buffer *ring;
    unsigned long long unseen;
    int option, status;

    while ((option = getopt(argc - 1, argv + 1, "+f")) != -1) {
        if (option != 'f')
            return 2;
        *(bool *)variable(object, "only_failures") = true;
    }
    hold(argv + 1 + optind);
    *(int *)variable(object, "workload_pid") = workload_pid;
    start(object);
    ring = ring_buffer__new(bpf_map__fd(map_named(object, "events")), event, NULL, NULL);
    status = loop(ring, 0, NULL);
    times = variable(object, "times");
    printf("\n%llu files were opened, or not:\n", histogram_count(times));
    histogram_print(times, "nanoseconds");
    unseen = *(unsigned long long *)variable(object, "unseen");
    if (unseen)
        printf("%llu lines are missing: they came too fast\n", unseen);
    return status;
}
