/* What comes in on a network interface, by protocol and port: a tool with a `main` of its own.

       bpf2native xdptop.o -o xdptop
       ./xdptop eth0                             a table each second, until Ctrl-C */
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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

static __always_inline struct kind classify(struct ethhdr *ethernet, void *end)
{
    void *ports = end;
    struct kind kind = {};

    if ((void *)(ethernet + 1) > end)
        return kind;
    if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
        struct iphdr *ip = (void *)(ethernet + 1);

        if ((void *)(ip + 1) > end)
            return kind;
        kind.protocol = ip->protocol;
        ports = (void *)ip + ip->ihl * 4;
    } else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) {
        struct ipv6hdr *ip = (void *)(ethernet + 1);

        if ((void *)(ip + 1) > end)
            return kind;
        kind.protocol = ip->nexthdr;
        ports = ip + 1;
    }
    if ((kind.protocol == IPPROTO_TCP || kind.protocol == IPPROTO_UDP) && ports + 4 <= end)
        kind.port = bpf_ntohs(((__be16 *)ports)[1]);
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
    struct traffic sum;
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
    const struct traffic *of = values; /* one for each processor */

    *row = (struct row){.kind = *(const struct kind *)key};
    for (int processor = 0; processor < libbpf_num_possible_cpus(); processor++) {
        row->sum.packets += of[processor].packets;
        row->sum.bytes += of[processor].bytes;
    }
    return row_count == MOST;
}

static int by_bytes(const void *a, const void *b)
{
    const struct row *left = a, *right = b;

    return (left->sum.bytes < right->sum.bytes) - (left->sum.bytes > right->sum.bytes);
}

static void show(void)
{
    row_count = 0;
    bpf_for_each_map_elem(&counts, collect, NULL, 0);
    qsort(rows, row_count, sizeof(*rows), by_bytes);
    printf("%s%8s %8s %12s", isatty(STDOUT_FILENO) ? "\033[H\033[J" : "\n", "PROTOCOL", "PORT", "PACKETS");
    printf(" %14s\n", "BYTES");
    for (struct row *row = rows; row < rows + row_count; row++) {
        printf("%8u %8u", row->kind.protocol, row->kind.port);
        printf(" %12llu %14llu\n", row->sum.packets, row->sum.bytes);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    int interface = argc == 2 ? if_nametoindex(argv[1]) : 0;
    struct bpf_link *link;

    if (!interface) {
        fprintf(stderr, "usage: xdptop INTERFACE\n");
        return 2;
    }
    if (bpf2native_kernel_load())
        return 1;
    link = bpf_program__attach_xdp(bpf_object__find_program_by_name(bpf2native_kernel_half(), "count"), interface);
    if (!link) {
        perror("xdptop");
        return 1;
    }
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    while (!stopped) {
        sleep(1);
        show();
    }
    return bpf_link__destroy(link);
}

char LICENSE[] SEC("license") = "GPL";
