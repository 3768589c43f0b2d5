/* Connection tracking: bpf_skb_ct_lookup, bpf_xdp_ct_alloc, bpf_ct_insert_entry and so on. In: a tuple of addresses and ports, struct
   bpf_ct_opts. Out: a struct nf_conn, whose time, zone, tuples, status and mark lie as in kernels of 5.15 and later that have zones.
   The rule: there are the connections that programs and tests put in, by these functions; both directions of one are found, each
   with the addresses that NAT gave it. */
#include "contexts/packet.h"
#include "kfuncs/object.h"

extern void *bpf_obj_new_impl(u64 type, void *types);
extern void *bpf_refcount_acquire_impl(void *object, void *types);
u64 bpf_jiffies64(void) __asm__("bpf_helper_jiffies64");

enum { ENONET = 64 };

/* bpf_ct_opts, before and since it has a zone. */
enum { OPTIONS_OLD = 12, OPTIONS_NEW = 16 };
enum { CURRENT_NETNS = -1 };
enum { ORIGINAL, REPLY, BOTH_DIRECTIONS = 3 };

enum { EXPECTED = 1 << 0, SEEN_REPLY = 1 << 1, ASSURED = 1 << 2, CONFIRMED = 1 << 3, SRC_NAT = 1 << 4, DST_NAT = 1 << 5,
       SEQ_ADJUST = 1 << 6, SRC_NAT_DONE = 1 << 7, DST_NAT_DONE = 1 << 8, DYING = 1 << 9, FIXED_TIMEOUT = 1 << 10,
       TEMPLATE = 1 << 11, OFFLOAD = 1 << 14, HW_OFFLOAD = 1 << 15 };
/* What programs may not set. */
enum { UNCHANGEABLE = EXPECTED | CONFIRMED | SRC_NAT | DST_NAT | SEQ_ADJUST | SRC_NAT_DONE | DST_NAT_DONE | DYING | TEMPLATE |
                      OFFLOAD | HW_OFFLOAD };

enum { CONNECTIONS_MAX = 1 << 16 };
enum { MILLISECONDS_PER_JIFFY = 4 };

struct bpf_ct_opts {
    s32 netns, error;
    u8 protocol, direction;
    u16 zone;     /* as the following, of 16 bytes; of 12, these 2 are reserved */
    u8 zone_direction, reserved[3];
};

struct tuple {
    be32 source[4];
    be16 source_port;
    u16 family;
    be32 target[4];
    be16 target_port;
    u8 protocol, direction;
};

struct nf_conn {
    u32 uses, lock, timeout; /* in jiffies, from now on for one that is not inserted */
    u16 zone;
    u8 zone_flags, zone_direction;
    struct {
        struct nf_conn *next;
        u64 unused;
        struct tuple tuple;
    } side[2];
    u64 status;
    u64 others[64];
};
_Static_assert(offset_of(struct nf_conn, side) == 16 && offset_of(struct nf_conn, status) == 128, "as in the kernel");

static struct nf_conn *connections;
static u32 count;

static u32 now(void) { return bpf_jiffies64(); }

static s32 check(const struct bpf_ct_opts *options, u32 size, const void *tuple) {
    if (!options || !tuple || (size != OPTIONS_OLD && size != OPTIONS_NEW)) return -EINVAL;
    if (size == OPTIONS_NEW && (options->reserved[0] || options->reserved[1] || options->reserved[2])) return -EINVAL;
    if (size == OPTIONS_OLD && options->zone) return -EINVAL;
    if (options->netns < CURRENT_NETNS) return -EINVAL;
    return options->protocol == IPPROTO_TCP || options->protocol == IPPROTO_UDP ? 0 : -EPROTO;
}

static s32 parse(struct tuple *to, const struct bpf_sock_tuple *from, u32 size, u8 protocol) {
    memset(to, 0, sizeof *to);
    to->protocol = protocol;
    if (size == sizeof from->ipv4) {
        to->family = AF_INET;
        to->source[0] = from->ipv4.saddr, to->source_port = from->ipv4.sport;
        to->target[0] = from->ipv4.daddr, to->target_port = from->ipv4.dport;
    } else if (size == sizeof from->ipv6) {
        to->family = AF_INET6;
        memcpy(to->source, from->ipv6.saddr, 16), to->source_port = from->ipv6.sport;
        memcpy(to->target, from->ipv6.daddr, 16), to->target_port = from->ipv6.dport;
    } else {
        return -EAFNOSUPPORT;
    }
    return 0;
}

static void invert(struct tuple *to, const struct tuple *from) {
    *to = *from;
    memcpy(to->source, from->target, 16), to->source_port = from->target_port;
    memcpy(to->target, from->source, 16), to->target_port = from->source_port;
    to->direction = REPLY;
}

/* The zone's number, where it counts in this direction. */
static u32 zone_in(u32 zone, u32 directions, u32 direction) { return directions & 1u << direction ? zone : 0; }

/* The direction in which a connection has this tuple, in this zone; 2 if it has not. */
static u32 direction_of(const struct nf_conn *conn, const struct tuple *tuple, u32 zone, u32 directions) {
    for (u32 direction = ORIGINAL; direction <= REPLY; direction++) {
        u32 own = zone_in(conn->zone, conn->zone_direction, direction);
        /* All but the direction. */
        if (!memcmp(&conn->side[direction].tuple, tuple, sizeof *tuple - 1) && own == zone_in(zone, directions, direction))
            return direction;
    }
    return 2;
}

static u32 directions_of(const struct bpf_ct_opts *options, u32 size) {
    return size == OPTIONS_NEW && options->zone_direction ? options->zone_direction : BOTH_DIRECTIONS;
}

static s32 find(const struct bpf_sock_tuple *from, u32 from_size, struct bpf_ct_opts *options, u32 size,
                struct nf_conn **found) {
    struct tuple tuple;
    s32 error = check(options, size, from);
    if (!error) error = parse(&tuple, from, from_size, options->protocol);
    if (!error && options->netns >= 0) error = -ENONET;
    if (error) return error;
    u32 zone = size == OPTIONS_NEW ? options->zone : 0;
    for (struct nf_conn *conn = connections; conn; conn = conn->side[0].next) {
        u32 direction = direction_of(conn, &tuple, zone, directions_of(options, size));
        if (direction > REPLY || (s32)(conn->timeout - now()) <= 0) continue;
        options->direction = direction;
        *found = bpf_refcount_acquire_impl(conn, NULL);
        return 0;
    }
    return -ENOENT;
}

static s32 make(const struct bpf_sock_tuple *from, u32 from_size, struct bpf_ct_opts *options, u32 size,
                struct nf_conn **made) {
    struct tuple tuple;
    s32 error = check(options, size, from);
    if (!error) error = parse(&tuple, from, from_size, options->protocol);
    if (!error && options->netns >= 0) error = -ENONET;
    if (error) return error;
    struct nf_conn *conn = bpf_obj_new_impl(sizeof *conn << 32, NULL);
    if (!conn) return -ENOMEM;
    conn->uses = 1;
    conn->zone = size == OPTIONS_NEW ? options->zone : 0;
    conn->zone_direction = directions_of(options, size);
    conn->side[ORIGINAL].tuple = tuple;
    invert(&conn->side[REPLY].tuple, &tuple);
    *made = conn;
    return 0;
}

/* What programs get: the connection, or NULL and the error in the options. */
static struct nf_conn *given(s32 error, struct nf_conn *conn, struct bpf_ct_opts *options) {
    if (!error) return conn;
    if (options) options->error = error;
    return NULL;
}

#define LOOKUP(name) \
    KFUNC(struct nf_conn *, name, (void *context, const struct bpf_sock_tuple *tuple, u32 tuple_size, \
                                   struct bpf_ct_opts *options, u32 size)) { \
        struct nf_conn *conn = NULL; \
        s32 error = find(tuple, tuple_size, options, size, &conn); \
        return given(error, conn, options); \
    }

#define ALLOC(name) \
    KFUNC(struct nf_conn *, name, (void *context, const struct bpf_sock_tuple *tuple, u32 tuple_size, \
                                   struct bpf_ct_opts *options, u32 size)) { \
        struct nf_conn *conn = NULL; \
        s32 error = make(tuple, tuple_size, options, size, &conn); \
        return given(error, conn, options); \
    }

LOOKUP(bpf_skb_ct_lookup)
LOOKUP(bpf_xdp_ct_lookup)
ALLOC(bpf_skb_ct_alloc)
ALLOC(bpf_xdp_ct_alloc)

KFUNC(void, bpf_ct_release, (struct nf_conn *conn)) {
    if (conn) bpf_obj_drop_impl(conn, NULL);
}

/* The program's reference stays its own; the table has one too. NULL, and the program's reference is gone, if there is such
   a connection already. */
KFUNC(struct nf_conn *, bpf_ct_insert_entry, (struct nf_conn *conn)) {
    u32 is_there = count >= CONNECTIONS_MAX;
    for (struct nf_conn *other = connections; other && !is_there; other = other->side[0].next)
        is_there = direction_of(other, &conn->side[ORIGINAL].tuple, conn->zone, conn->zone_direction) == ORIGINAL ||
                   direction_of(other, &conn->side[REPLY].tuple, conn->zone, conn->zone_direction) == REPLY;
    if (is_there) {
        bpf_obj_drop_impl(conn, NULL);
        return NULL;
    }
    conn->timeout += now();
    conn->status |= CONFIRMED;
    conn->side[0].next = connections;
    connections = bpf_refcount_acquire_impl(conn, NULL);
    count++;
    return conn;
}

static u32 in_jiffies(u32 milliseconds) { return ((u64)milliseconds + MILLISECONDS_PER_JIFFY - 1) / MILLISECONDS_PER_JIFFY; }

KFUNC(void, bpf_ct_set_timeout, (struct nf_conn *conn, u32 milliseconds)) { conn->timeout = in_jiffies(milliseconds); }

KFUNC(s32, bpf_ct_change_timeout, (struct nf_conn *conn, u32 milliseconds)) {
    if (conn->status & FIXED_TIMEOUT) return -EPERM;
    conn->timeout = now() + in_jiffies(milliseconds);
    return 0;
}

static s32 change_status(struct nf_conn *conn, u32 status) {
    u64 changed = conn->status ^ status;
    if (changed & (EXPECTED | CONFIRMED | DYING)) return -EBUSY;
    if (changed & ~(u64)status & (SEEN_REPLY | ASSURED)) return -EBUSY;
    conn->status |= status & ~(u32)UNCHANGEABLE;
    return 0;
}

KFUNC(s32, bpf_ct_set_status, (struct nf_conn *conn, u32 status)) { return change_status(conn, status); }

KFUNC(s32, bpf_ct_change_status, (struct nf_conn *conn, u32 status)) { return change_status(conn, status); }

enum { NAT_SOURCE, NAT_TARGET };

/* What comes back is sent to the new source, or comes from the new target. */
KFUNC(s32, bpf_ct_set_nat_info, (struct nf_conn *conn, const be32 *address, s32 port, u32 which)) {
    struct tuple *reply = &conn->side[REPLY].tuple;
    if (port < 0 || port > 0xffff || conn->status & CONFIRMED) return -EINVAL;
    u64 length = reply->family == AF_INET ? 4 : 16;
    be32 *end = which == NAT_SOURCE ? reply->target : reply->source;
    be16 *end_port = which == NAT_SOURCE ? &reply->target_port : &reply->source_port;
    memcpy(end, address, length);
    if (port) *end_port = to_be16(port);
    conn->status |= which == NAT_SOURCE ? SRC_NAT | SRC_NAT_DONE : DST_NAT | DST_NAT_DONE;
    return 0;
}

/* A device's table of flows is empty. */
KFUNC(void *, bpf_xdp_flow_lookup, (void *xdp, const void *tuple, s32 *error, u32 size)) {
    *error = size == 4 ? -ENOENT : -EINVAL;
    return NULL;
}
