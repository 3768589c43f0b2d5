/* How many bytes each process sends and gets through sockets, once a second and in the end.

       bpf2native run sockets.o -- curl -s example.org
       bpf2native run sockets.o -- -i 5          every 5 seconds, until Ctrl-C

   Linux 6.3 and later. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include "bpf2native.h"
#include "bpf2native_libbpf.h"

/* /sys/kernel/tracing/events/sock/sock_send_length/format */
struct transfer {
    __u64 common, socket;
    __u16 family, protocol;
    int length;
};

struct user {
    __u32 pid;
    __u16 family, protocol;
    char name[16];
};

struct bytes {
    __u64 sent, received;
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
    __uint(max_entries, 10240);
    __type(key, struct user);
    __type(value, struct bytes);
} traffic SEC(".maps");

static struct bytes *bytes_of(struct transfer *transfer)
{
    struct user user = {.pid = bpf_get_current_pid_tgid() >> 32, transfer->family, transfer->protocol};
    struct bytes none = {}, *bytes;

    bpf_get_current_comm(user.name, sizeof(user.name));
    bytes = bpf_map_lookup_elem(&traffic, &user);
    if (bytes)
        return bytes;
    bpf_map_update_elem(&traffic, &user, &none, BPF_NOEXIST);
    return bpf_map_lookup_elem(&traffic, &user);
}

SEC("tracepoint/sock/sock_send_length") int send_length(struct transfer *transfer)
{
    struct bytes *bytes = transfer->length > 0 ? bytes_of(transfer) : NULL;

    if (bytes)
        bytes->sent += transfer->length;
    return 0;
}

SEC("tracepoint/sock/sock_recv_length") int recv_length(struct transfer *transfer)
{
    struct bytes *bytes = transfer->length > 0 ? bytes_of(transfer) : NULL;

    if (bytes)
        bytes->received += transfer->length;
    return 0;
}

static const char *kind(const struct user *user)
{
    switch (user->family) {
    case AF_INET:
    case AF_INET6:
        return user->protocol == 6 ? "tcp" : user->protocol == 17 ? "udp" : "ip";
    case AF_UNIX:
        return "unix";
    case AF_NETLINK:
        return "netlink";
    default:
        return "other";
    }
}

/* Values of per-CPU maps are one for each processor. */
static long show(void *map, const void *key, void *values, void *context)
{
    const struct user *user = key;
    const struct bytes *of = values;
    struct bytes all = {};

    for (int processor = 0; processor < libbpf_num_possible_cpus(); processor++) {
        all.sent += of[processor].sent;
        all.received += of[processor].received;
    }
    printf("%8u  %-16s %-8s", user->pid, user->name, kind(user));
    printf(" %12llu %12llu\n", all.sent, all.received);
    return 0;
}

static void table(void)
{
    printf("%8s  %-16s %-8s", "PID", "NAME", "SOCKET");
    printf(" %12s %12s\n", "SENT", "RECEIVED");
    bpf_for_each_map_elem(&traffic, show, NULL, 0);
    printf("\n");
}

void TIMER(void)
{
    table();
}

int INIT(int argc, char **argv)
{
    int option, seconds = 1;

    while ((option = getopt(argc, argv, "+i:")) != -1) {
        if (option != 'i')
            return 2;
        seconds = atoi(optarg);
    }
    return set_timer(seconds);
}

void END(void)
{
    table();
}

char LICENSE[] SEC("license") = "GPL";
