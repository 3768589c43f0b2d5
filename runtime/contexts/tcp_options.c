/* Options in the TCP header of a struct bpf_sock_ops, from skb_data to skb_data_end: finding one (helper 142), writing one (143),
   and saying how long those will be that are to be written (144). In: a context that a test fills in, whose memory goes on behind
   skb_data_end to 60 bytes, the longest header. Out: an option is put at skb_data_end, which moves. */
#include "contexts/packet.h"

enum { ENOMSG = 42, TCP_HLEN = 20, LOAD_SYN = 1, TCP_HLEN_MAX = 60 };
/* When programs are asked: how long options will be, and for the options. */
enum { OP_LENGTH = 14, OP_WRITE = 15 };
enum { OPTION_END, OPTION_NOP, OPTION_EXPERIMENT_1 = 253, OPTION_EXPERIMENT_2 = 254 };
/* Where these are in struct bpf_sock_ops. */
enum { SOCK_OPS_DATA = 192, SOCK_OPS_DATA_END = 200 };

/* What bpf_reserve_hdr_opt asked for; one for all threads. */
static u32 reserved;

API(u32, bpf2native_reserved, (void)) { return __sync_fetch_and_and(&reserved, 0); }

static const u8 *field(const void *context, u32 offset) {
    return *(const u8 *const *)((const u8 *)context + offset);
}

/* bpf_search_tcp_opt: where the option is, or an error below 0. */
static s64 find(const u8 *at, const u8 *end, const u8 *wanted, u32 magic) {
    while (at < end) {
        if (*at == OPTION_END) return -ENOMSG;
        if (*at == OPTION_NOP) {
            at++;
            continue;
        }
        if (end - at < 2 || at[1] < 2 || end - at < at[1]) return -EINVAL;
        if (*at == *wanted && (!magic || (at[1] >= 2 + magic && !memcmp(at + 2, wanted + 2, magic)))) return (s64)at;
        at += at[1];
    }
    return -ENOMSG;
}

HELPER(long, load_hdr_opt, (void *context, u8 *option, u32 size, u64 flags)) {
    const u8 *data = field(context, SOCK_OPS_DATA), *end = field(context, SOCK_OPS_DATA_END);
    u32 magic = 0;
    if (flags & ~(u64)LOAD_SYN || size < 2 || option[1] > size || option[0] <= OPTION_NOP) return -EINVAL;
    if (option[0] == OPTION_EXPERIMENT_1 || option[0] == OPTION_EXPERIMENT_2) {
        if (option[1] != 4 && option[1] != 6) return -EINVAL;
        magic = option[1] - 2;
    } else if (option[1]) {
        return -EINVAL;
    }
    /* No SYN is saved. */
    if (flags & LOAD_SYN) return -ENOENT;
    if (!data) return -EPERM;
    s64 found = end - data < TCP_HLEN ? -ENOMSG : find(data + TCP_HLEN, end, option, magic);
    if (found < 0) return found;
    u32 length = ((const u8 *)found)[1];
    memcpy(option, (const void *)found, length < size ? length : size);
    return length <= size ? length : -ENOSPC;
}

/* Whether an option is one that programs may write. */
static int is_writable(const u8 *option, u32 size) {
    if (option[1] > size || option[0] <= OPTION_NOP) return 0;
    u32 is_experiment = option[0] == OPTION_EXPERIMENT_1 || option[0] == OPTION_EXPERIMENT_2;
    return option[1] >= (is_experiment ? 4 : 2);
}

/* Whether an option's list was ended. */
static int is_ended(const u8 *at, const u8 *end) {
    while (at < end && *at != OPTION_END) at += *at == OPTION_NOP || end - at < 2 || at[1] < 2 ? 1 : at[1];
    return at < end;
}

HELPER(long, store_hdr_opt, (void *context, const u8 *option, u32 size, u64 flags)) {
    if (*(const u32 *)context != OP_WRITE) return -EPERM;
    if (size < 2 || flags || !is_writable(option, size)) return -EINVAL;
    u8 *data = (u8 *)field(context, SOCK_OPS_DATA), *end = (u8 *)field(context, SOCK_OPS_DATA_END);
    if (end - data < TCP_HLEN || end - data + option[1] > TCP_HLEN_MAX) return -ENOSPC;
    u32 is_experiment = option[0] == OPTION_EXPERIMENT_1 || option[0] == OPTION_EXPERIMENT_2;
    s64 found = find(data + TCP_HLEN, end, option, is_experiment ? 2 : 0);
    if (found >= 0) return -EEXIST;
    if (found != -ENOMSG) return found;
    if (is_ended(data + TCP_HLEN, end)) return -ENOSPC;
    memcpy(end, option, option[1]);
    *(u8 **)((u8 *)context + SOCK_OPS_DATA_END) = end + option[1];
    return 0;
}

HELPER(long, reserve_hdr_opt, (void *context, u32 size, u64 flags)) {
    if (*(const u32 *)context != OP_LENGTH) return -EPERM;
    if (flags || size < 2) return -EINVAL;
    if (reserved + size > TCP_HLEN_MAX - TCP_HLEN) return -ENOSPC;
    reserved += size;
    return 0;
}
