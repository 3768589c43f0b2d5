/* The twin of examples/scripts/funclat.c. */
#include "twin.h"
#include "../../../examples/scripts/histogram.h"

static const char *function = "malloc", *library = "libc.so.6";

static struct bpf_link *attach(struct bpf_object *object, const char *name, bool returning)
{
    LIBBPF_OPTS(bpf_uprobe_opts, options, .func_name = function, .retprobe = returning);
    struct bpf_program *program = bpf_object__find_program_by_name(object, name);
    struct bpf_link *link = bpf_program__attach_uprobe_opts(program, workload_pid, library, 0, &options);

    if (!link) {
        fprintf(stderr, "there is no %s in %s\n", function, library);
        exit(1);
    }
    return link;
}

int main(int argc, char **argv)
{
    struct bpf_object *object = open_object(argv[1]);
    struct bpf_link *enter, *leave;
    struct histogram *times;
    int option, status;

    while ((option = getopt(argc - 1, argv + 1, "+f:l:")) != -1) {
        if (option == 'f')
            function = optarg;
        else if (option == 'l')
            library = optarg;
        else
            return 2;
    }
    hold(argv + 1 + optind);
    if (bpf_object__load(object))
        fail("load");
    enter = attach(object, "enter", false);
    leave = attach(object, "leave", true);
    status = loop(NULL, 0, NULL);
    times = variable(object, "times");
    printf("%llu calls of %s:\n", histogram_count(times), function);
    histogram_print(times, "nanoseconds");
    bpf_link__destroy(enter);
    bpf_link__destroy(leave);
    return status;
}
