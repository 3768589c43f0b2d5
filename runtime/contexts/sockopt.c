/* Helpers that set and read options of sockets, and bind them. Options are kept for each context or socket that a program
   names, up to 64 bytes each; bpf_getsockopt finds what a program or a test set, and knows no other option. */
#include "contexts/packet.h"

enum { OPTION_BYTES = 64, OPTIONS = 256 };
enum { SOL_SOCKET = 1, SOL_IP = 0, SOL_TCP = 6, SOL_IPV6 = 41 };
enum { ALL_CB_FLAGS = 0x7f };

struct option {
    const void *owner;
    s32 level, name;
    u32 length;
    u8 value[OPTION_BYTES];
};

static struct option options[OPTIONS];
static u32 count;

static struct option *find(const void *owner, s32 level, s32 name) {
    for (u32 i = 0; i < count; i++)
        if (options[i].owner == owner && options[i].level == level && options[i].name == name) return &options[i];
    return NULL;
}

static int is_level(s32 level) {
    return level == SOL_SOCKET || level == SOL_IP || level == SOL_TCP || level == SOL_IPV6;
}

HELPER(long, setsockopt, (void *context, s32 level, s32 name, const void *value, s32 length)) {
    if (!is_level(level) || length < 0 || length > OPTION_BYTES) return -EINVAL;
    struct option *option = find(context, level, name);
    if (!option) {
        if (count >= OPTIONS) return -ENOMEM;
        option = &options[count++];
        option->owner = context;
        option->level = level;
        option->name = name;
    }
    memcpy(option->value, value, length);
    option->length = length;
    return 0;
}

HELPER(long, getsockopt, (void *context, s32 level, s32 name, void *value, s32 length)) {
    struct option *option = is_level(level) && length > 0 ? find(context, level, name) : NULL;
    if (length > 0) memset(value, 0, length);
    if (!option) return -EINVAL;
    memcpy(value, option->value, option->length < (u32)length ? option->length : (u32)length);
    return 0;
}

/* What a program has set. */
API(int, bpf2native_sockopt, (const void *context, int level, int name, void *value, unsigned length)) {
    struct option *option = find(context, level, name);
    if (!option) return -ENOENT;
    memcpy(value, option->value, length < option->length ? length : option->length);
    return option->length;
}

struct sock_ops {
    u32 op, args[4], family;
    be32 remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port;
    u32 local_port, is_fullsock, snd_cwnd, srtt_us, bpf_sock_ops_cb_flags;
};

HELPER(long, sock_ops_cb_flags_set, (struct sock_ops *context, int flags)) {
    if (!context->is_fullsock) return -EINVAL;
    context->bpf_sock_ops_cb_flags = flags & ALL_CB_FLAGS;
    return flags & ~ALL_CB_FLAGS;
}

struct sock_addr {
    u32 user_family;
    be32 user_ip4, user_ip6[4], user_port;
    u32 family, type, protocol;
    be32 msg_src_ip4, msg_src_ip6[4];
    struct bpf_sock *sk;
};

/* struct sockaddr_in, sockaddr_in6 */
struct address {
    u16 family;
    be16 port;
    be32 ip4, ip6[4];
};

/* Binds to an address. */
HELPER(long, bind, (struct sock_addr *context, const struct address *address, int length)) {
    if (length < 2) return -EINVAL;
    struct bpf_sock *sock = context->sk;
    if (address->family == AF_INET) {
        if (length < 8) return -EINVAL;
        if (sock) sock->src_ip4 = address->ip4, sock->src_port = from_be16(address->port);
        return 0;
    }
    if (address->family != AF_INET6) return -EAFNOSUPPORT;
    if (length < 24) return -EINVAL;
    if (sock) memcpy(sock->src_ip6, address->ip6, 16), sock->src_port = from_be16(address->port);
    return 0;
}
