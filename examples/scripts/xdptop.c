/* What comes in on a network interface, by protocol and port: a tool with a `main` of its own.

       bpf2native xdptop.o -o xdptop
       ./xdptop eth0                             a table each second, until Ctrl-C
       ./xdptop -i 5 -n 3 eth0                   three of them, every 5 seconds */
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf_endian.h>
#include "bpf2native.h"
#include "bpf2native_libbpf.h"

enum { MOST = 4096 };

struct kind {
    __u16 protocol, port; /* of IP; the port that a packet goes to, 0 if there are none */
};

struct traffic {
    __u64 packets, bytes;
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
    __uint(max_entries, MOST);
    __type(key, struct kind);
    __type(value, struct traffic);
} counts SEC(".maps");

/* The kind of the packet from `at` to `end`. */
static __always_inline struct kind classify(void *at, void *end)
{
    struct ethhdr *ethernet = at;
    struct kind kind = {};

    if (at + sizeof(*ethernet) > end)
        return kind;
    at += sizeof(*ethernet);
    if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
        struct iphdr *ip = at;

        if (at + sizeof(*ip) > end)
            return kind;
        kind.protocol = ip->protocol;
        at += ip->ihl * 4;
    } else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) {
        struct ipv6hdr *ip = at;

        if (at + sizeof(*ip) > end)
            return kind;
        kind.protocol = ip->nexthdr;
        at += sizeof(*ip);
    }
    /* Both have their ports first. */
    if ((kind.protocol == IPPROTO_TCP || kind.protocol == IPPROTO_UDP) && at + 4 <= end)
        kind.port = bpf_ntohs(((__be16 *)at)[1]);
    return kind;
}

SEC("xdp") int count(struct xdp_md *packet)
{
    void *start = (void *)(long)packet->data, *end = (void *)(long)packet->data_end;
    struct kind kind = classify(start, end);
    struct traffic none = {}, *traffic = bpf_map_lookup_elem(&counts, &kind);

    if (!traffic) {
        bpf_map_update_elem(&counts, &kind, &none, BPF_NOEXIST);
        traffic = bpf_map_lookup_elem(&counts, &kind);
    }
    if (traffic) {
        traffic->packets++;
        traffic->bytes += end - start;
    }
    return XDP_PASS;
}

static struct row {
    struct kind kind;
    struct traffic now;
} rows[MOST];
static unsigned row_count;
static volatile sig_atomic_t stopped;

static void stop(int signal)
{
    stopped = 1;
}

static long collect(void *map, const void *key, void *values, void *context)
{
    struct row *row = &rows[row_count++];
    const struct traffic *of = values;

    *row = (struct row){.kind = *(const struct kind *)key};
    for (int processor = 0; processor < libbpf_num_possible_cpus(); processor++) {
        row->now.packets += of[processor].packets;
        row->now.bytes += of[processor].bytes;
    }
    return row_count == MOST;
}

static int by_bytes(const void *a, const void *b)
{
    const struct row *left = a, *right = b;

    return left->now.bytes < right->now.bytes ? 1 : left->now.bytes > right->now.bytes ? -1 : 0;
}

static void show(double seconds)
{
    static struct traffic last;
    struct traffic all = {};

    row_count = 0;
    bpf_for_each_map_elem(&counts, collect, NULL, 0);
    qsort(rows, row_count, sizeof(*rows), by_bytes);
    if (isatty(STDOUT_FILENO))
        printf("\033[H\033[J");
    printf("%8s %8s %12s %14s\n", "PROTOCOL", "PORT", "PACKETS", "BYTES");
    for (unsigned n = 0; n < row_count; n++) {
        const struct row *row = &rows[n];

        printf("%8u %8u", row->kind.protocol, row->kind.port);
        printf(" %12llu %14llu\n", row->now.packets, row->now.bytes);
        all.packets += row->now.packets;
        all.bytes += row->now.bytes;
    }
    printf("%.1f packets and %.1f bytes each second\n\n", bpf2native_div(bpf2native_from_long(all.packets - last.packets), seconds),
        bpf2native_div(bpf2native_from_long(all.bytes - last.bytes), seconds));
    fflush(stdout);
    last = all;
}

static int usage(void)
{
    fprintf(stderr, "usage: xdptop [-i SECONDS] [-n TIMES] INTERFACE\n");
    return 2;
}

int main(int argc, char **argv)
{
    int option, interval = 1, times = -1, interface;
    struct bpf_object *kernel_half;
    struct bpf_link *link;

    while ((option = getopt(argc, argv, "i:n:")) != -1) {
        if (option == 'i')
            interval = atoi(optarg);
        else if (option == 'n')
            times = atoi(optarg);
        else
            return usage();
    }
    if (optind + 1 != argc || interval < 1)
        return usage();
    interface = if_nametoindex(argv[optind]);
    if (!interface) {
        perror(argv[optind]);
        return 1;
    }

    kernel_half = bpf2native_kernel_half();
    if (!kernel_half || bpf2native_kernel_load())
        return 1;
    link = bpf_program__attach_xdp(bpf_object__find_program_by_name(kernel_half, "count"), interface);
    if (!link) {
        perror("attach");
        return 1;
    }
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    while (!stopped && times-- != 0) {
        sleep(interval);
        show(bpf2native_from_long(interval));
    }
    bpf_link__destroy(link);
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
