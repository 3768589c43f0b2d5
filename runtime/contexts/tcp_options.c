/* Helper 142: finds an option in the TCP header of a struct bpf_sock_ops, from skb_data to skb_data_end. What writes
   options (143, 144) has no room to write to in a context that a test fills in, and is not there. */
#include "contexts/packet.h"

enum { ENOMSG = 42, TCP_HLEN = 20, LOAD_SYN = 1 };
enum { OPTION_END, OPTION_NOP, OPTION_EXPERIMENT_1 = 253, OPTION_EXPERIMENT_2 = 254 };
/* Where these are in struct bpf_sock_ops. */
enum { SOCK_OPS_DATA = 192, SOCK_OPS_DATA_END = 200 };

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
