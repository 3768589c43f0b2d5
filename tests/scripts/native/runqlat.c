/* The twin of examples/scripts/runqlat.c. */
#include "twin.h"
#include "../../../examples/scripts/histogram.h"

static struct histogram *times;

static void show(void)
{
    __u64 count = histogram_count(times);

    histogram_print(times, "nanoseconds");
    printf("%llu waits of %.1f nanoseconds on average\n\n", count, (double)times->sum / (count ? count : 1));
}

static void timer(void)
{
    show();
    memset(times, 0, sizeof(*times));
}

int main(int argc, char **argv)
{
    struct bpf_object *object = open_object(argv[1]);
    int option, seconds = 0, status;

    while ((option = getopt(argc - 1, argv + 1, "+i:")) != -1) {
        if (option != 'i')
            return 2;
        seconds = atoi(optarg);
    }
    hold(argv + 1 + optind);
    *(int *)variable(object, "workload_pid") = workload_pid;
    start(object);
    times = variable(object, "times");
    status = loop(NULL, seconds, timer);
    show();
    return status;
}
