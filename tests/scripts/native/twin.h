/* What the twins share: tools in plain C against libbpf that do what the scripts of examples/scripts do.

   In: argv[1] is the object with the kernel half, from argv[2] on it is as a script gets it: options, then the workload.
   Out: the workload's exit status. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

static int workload_pid, workload_gate;
static volatile sig_atomic_t stopped;

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static struct bpf_object *open_object(const char *path)
{
    struct bpf_object *object = bpf_object__open_file(path, NULL);

    if (!object)
        fail(path);
    return object;
}

/* The values of a section of global variables: before loading, those that it gets; after it, the memory that both share. */
static void *values(struct bpf_map *map)
{
    size_t size;
    void *first = (void *)bpf_map__initial_value(map, &size), *shared;

    if (bpf_map__fd(map) < 0)
        return first;
    shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
    if (shared == MAP_FAILED)
        fail(bpf_map__name(map));
    return shared;
}

/* A global variable of the kernel half. */
static void *variable(struct bpf_object *object, const char *name)
{
    struct btf *btf = bpf_object__btf(object);
    struct bpf_map *map;

    for (unsigned id = 1; id < btf__type_cnt(btf); id++) {
        const struct btf_type *section = btf__type_by_id(btf, id);

        if (!btf_is_datasec(section))
            continue;
        for (int n = 0; n < btf_vlen(section); n++) {
            const struct btf_var_secinfo *at = &btf_var_secinfos(section)[n];
            const char *section_name = btf__name_by_offset(btf, section->name_off);

            if (strcmp(btf__name_by_offset(btf, btf__type_by_id(btf, at->type)->name_off), name) != 0)
                continue;
            bpf_object__for_each_map(map, object) {
                const char *map_name = bpf_map__name(map);
                size_t length = strlen(map_name), wanted = strlen(section_name);

                if (length >= wanted && strcmp(map_name + length - wanted, section_name) == 0)
                    return (char *)values(map) + at->offset;
            }
        }
    }
    fprintf(stderr, "there is no variable %s\n", name);
    exit(1);
}

/* The workload, held before it is executed. */
static void hold(char **words)
{
    int gate[2];

    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    if (!*words)
        return;
    if (pipe(gate))
        fail("pipe");
    workload_pid = fork();
    if (workload_pid == 0) {
        char byte;

        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        close(gate[1]);
        if (read(gate[0], &byte, 1) != 1)
            _exit(1);
        close(gate[0]);
        execvp(*words, words);
        _exit(127);
    }
    close(gate[0]);
    workload_gate = gate[1];
}

/* Loads and attaches all programs. */
static void start(struct bpf_object *object)
{
    struct bpf_program *program;

    if (bpf_object__load(object))
        fail("load");
    bpf_object__for_each_program(program, object)
        if (bpf_program__autoattach(program) && !bpf_program__attach(program))
            fail(bpf_program__name(program));
}

static struct bpf_map *map_named(struct bpf_object *object, const char *name)
{
    struct bpf_map *map = bpf_object__find_map_by_name(object, name);

    if (!map)
        fail(name);
    return map;
}

/* Lets the workload go; until it ends, reads records and calls `timer` every so many seconds. */
static int loop(struct ring_buffer *ring, int seconds, void (*timer)(void))
{
    time_t next = time(NULL) + seconds;
    int status = 0;

    if (workload_gate && write(workload_gate, "", 1) != 1)
        fail("write");
    while (!stopped) {
        if (workload_pid && waitpid(workload_pid, &status, WNOHANG) == workload_pid)
            break;
        if (ring)
            ring_buffer__poll(ring, 10);
        else
            usleep(1000);
        if (seconds && time(NULL) >= next) {
            timer();
            next += seconds;
        }
    }
    if (stopped && workload_pid)
        waitpid(workload_pid, &status, 0);
    if (ring)
        ring_buffer__consume(ring);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
