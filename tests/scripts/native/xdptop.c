/* The twin of examples/scripts/xdptop.c. */
#include <net/if.h>
#include "twin.h"

enum { MOST = 4096 };

struct kind {
    unsigned short protocol, port;
};

struct traffic {
    unsigned long long packets, bytes;
};

static struct row {
    struct kind kind;
    struct traffic now;
} rows[MOST];

static int by_bytes(const void *a, const void *b)
{
    const struct row *left = a, *right = b;

    return left->now.bytes < right->now.bytes ? 1 : left->now.bytes > right->now.bytes ? -1 : 0;
}

static void show(int counts, double seconds)
{
    static struct traffic last;
    int processors = libbpf_num_possible_cpus(), row_count = 0;
    struct traffic of[processors], all = {};
    struct kind kind, *before = NULL;

    while (bpf_map_get_next_key(counts, before, &kind) == 0) {
        struct row *row = &rows[row_count++];

        bpf_map_lookup_elem(counts, &kind, of);
        *row = (struct row){.kind = kind};
        for (int n = 0; n < processors; n++) {
            row->now.packets += of[n].packets;
            row->now.bytes += of[n].bytes;
        }
        before = &row->kind;
    }
    qsort(rows, row_count, sizeof(*rows), by_bytes);
    if (isatty(STDOUT_FILENO))
        printf("\033[H\033[J");
    printf("%8s %8s %12s %14s\n", "PROTOCOL", "PORT", "PACKETS", "BYTES");
    for (int n = 0; n < row_count; n++) {
        printf("%8u %8u %12llu %14llu\n", rows[n].kind.protocol, rows[n].kind.port, rows[n].now.packets, rows[n].now.bytes);
        all.packets += rows[n].now.packets;
        all.bytes += rows[n].now.bytes;
    }
    printf("%.1f packets and %.1f bytes each second\n\n", (all.packets - last.packets) / seconds,
        (all.bytes - last.bytes) / seconds);
    fflush(stdout);
    last = all;
}

int main(int argc, char **argv)
{
    struct bpf_object *object = open_object(argv[1]);
    int option, interval = 1, times = -1, interface;
    struct bpf_link *link;

    while ((option = getopt(argc - 1, argv + 1, "i:n:")) != -1) {
        if (option == 'i')
            interval = atoi(optarg);
        else if (option == 'n')
            times = atoi(optarg);
        else
            return 2;
    }
    interface = if_nametoindex(argv[1 + optind]);
    if (!interface)
        fail(argv[1 + optind]);
    if (bpf_object__load(object))
        fail("load");
    link = bpf_program__attach_xdp(bpf_object__find_program_by_name(object, "count"), interface);
    if (!link)
        fail("attach");
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    while (!stopped && times-- != 0) {
        sleep(interval);
        show(bpf_map__fd(map_named(object, "counts")), interval);
    }
    bpf_link__destroy(link);
    return 0;
}
