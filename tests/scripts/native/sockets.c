/* The twin of examples/scripts/sockets.c. */
#include <sys/socket.h>
#include "twin.h"

struct user {
    unsigned pid;
    unsigned short family, protocol;
    char name[16];
};

struct bytes {
    unsigned long long sent, received;
};

static int traffic;

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

static void table(void)
{
    int processors = libbpf_num_possible_cpus();
    struct bytes of[processors];
    struct user user, *last = NULL;

    printf("%8s  %-16s %-8s %12s %12s\n", "PID", "NAME", "SOCKET", "SENT", "RECEIVED");
    while (bpf_map_get_next_key(traffic, last, &user) == 0) {
        struct bytes all = {};

        bpf_map_lookup_elem(traffic, &user, of);
        for (int n = 0; n < processors; n++) {
            all.sent += of[n].sent;
            all.received += of[n].received;
        }
        printf("%8u  %-16s %-8s %12llu %12llu\n", user.pid, user.name, kind(&user), all.sent, all.received);
        last = &user;
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    struct bpf_object *object = open_object(argv[1]);
    int option, seconds = 1, status;

    while ((option = getopt(argc - 1, argv + 1, "+i:")) != -1) {
        if (option != 'i')
            return 2;
        seconds = atoi(optarg);
    }
    hold(argv + 1 + optind);
    start(object);
    traffic = bpf_map__fd(map_named(object, "traffic"));
    status = loop(NULL, seconds, table);
    table();
    return status;
}
