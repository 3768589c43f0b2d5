/* The twin of examples/scripts/execs.c. */
#include "twin.h"

struct command {
    int pid, parent;
    unsigned length;
    char words[4096];
};

static int event(void *context, void *data, size_t size)
{
    const struct command *command = data;
    time_t now = time(NULL);
    char clock[16];

    strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&now));
    printf("%s %8d %8d ", clock, command->pid, command->parent);
    for (unsigned at = 0; at < command->length; at += strlen(command->words + at) + 1)
        printf(" %s", command->words + at);
    putchar('\n');
    return 0;
}

int main(int argc, char **argv)
{
    struct bpf_object *object = open_object(argv[1]);
    struct ring_buffer *ring;
    int status;

    hold(argv + 2);
    start(object);
    ring = ring_buffer__new(bpf_map__fd(map_named(object, "commands")), event, NULL, NULL);
    printf("%-8s %8s %8s  %s\n", "TIME", "PID", "PARENT", "COMMAND");
    status = loop(ring, 0, NULL);
    printf("%llu commands, %llu of them not shown\n", *(unsigned long long *)variable(object, "started"),
        *(unsigned long long *)variable(object, "unseen"));
    return status;
}
