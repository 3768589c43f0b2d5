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
    struct traffic sum;
} rows[MOST];

static int by_bytes(const void *a, const void *b)
{
    const struct row *left = a, *right = b;

    return (left->sum.bytes < right->sum.bytes) - (left->sum.bytes > right->sum.bytes);
}

static void show(int counts)
{
    int processors = libbpf_num_possible_cpus(), row_count = 0;
    struct traffic of[processors];
    struct kind *last = NULL;

    while (row_count < MOST && bpf_map_get_next_key(counts, last, &rows[row_count].kind) == 0) {
        struct row *row = &rows[row_count++];

        bpf_map_lookup_elem(counts, &row->kind, of);
        row->sum = (struct traffic){};
        for (int n = 0; n < processors; n++) {
            row->sum.packets += of[n].packets;
            row->sum.bytes += of[n].bytes;
        }
        last = &row->kind;
    }
    qsort(rows, row_count, sizeof(*rows), by_bytes);
    printf("%s%8s %8s %12s %14s\n", isatty(STDOUT_FILENO) ? "\033[H\033[J" : "\n", "PROTOCOL", "PORT", "PACKETS", "BYTES");
    for (struct row *row = rows; row < rows + row_count; row++)
        printf("%8u %8u %12llu %14llu\n", row->kind.protocol, row->kind.port, row->sum.packets, row->sum.bytes);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct bpf_object *object = open_object(argv[1]);
    int interface = argc == 3 ? if_nametoindex(argv[2]) : 0;
    struct bpf_link *link;

    if (!interface)
        fail("interface");
    if (bpf_object__load(object))
        fail("load");
    link = bpf_program__attach_xdp(bpf_object__find_program_by_name(object, "count"), interface);
    if (!link)
        fail("attach");
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    while (!stopped) {
        sleep(1);
        show(bpf_map__fd(map_named(object, "counts")));
    }
    return bpf_link__destroy(link);
}
