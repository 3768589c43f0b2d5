/* Internet checksums (RFC 1071): sums of 16-bit words in the order in which they lie in memory, so the same code is right
   for both byte orders. The kernel's functions by their names, since a sum has two zeros and which one comes out matters. */
#include "contexts/skb.h"

enum { BPF_F_HDR_FIELD_MASK = 0xf, BPF_F_PSEUDO_HDR = 1 << 4, BPF_F_MARK_MANGLED_0 = 1 << 5, BPF_F_MARK_ENFORCE = 1 << 6,
       BPF_F_IPV6 = 1 << 7 };
enum { BPF_CSUM_LEVEL_QUERY, BPF_CSUM_LEVEL_INC, BPF_CSUM_LEVEL_DEC, BPF_CSUM_LEVEL_RESET };
enum { CSUM_MANGLED_0 = 0xffff, SKB_MAX_CSUM_LEVEL = 3 };

static u32 csum_add(u32 sum, u32 more) {
    sum += more;
    return sum + (sum < more);
}

static u16 csum_fold(u32 sum) {
    sum = (sum & 0xffff) + (sum >> 16);
    sum += sum >> 16;
    return ~sum;
}

static u32 csum_partial(const u8 *bytes, u32 length, u32 sum) {
    u64 wide = sum;
    u16 half;
    u32 word;
    while (length >= 4) {
        memcpy(&word, bytes, 4);
        wide += word;
        bytes += 4;
        length -= 4;
    }
    if (length >= 2) {
        memcpy(&half, bytes, 2);
        wide += half;
        bytes += 2;
        length -= 2;
    }
    if (length) wide += from_be16((u16)(*bytes << 8));
    wide = (wide & 0xffffffff) + (wide >> 32);
    return (wide & 0xffffffff) + (wide >> 32);
}

HELPER(s64, csum_diff, (const void *from, u32 from_size, const void *to, u32 to_size, u32 seed)) {
    u32 sum = seed;
    if (from_size && to_size) sum = csum_add(csum_partial(to, to_size, sum), ~csum_partial(from, from_size, 0));
    else if (to_size) sum = csum_partial(to, to_size, sum);
    else if (from_size) sum = ~csum_partial(from, from_size, ~sum);
    /* csum_from32to16 */
    sum += sum >> 16 | sum << 16;
    return sum >> 16;
}

/* The checksum at an offset; NULL if there is none. */
static u8 *field(struct __sk_buff *skb, u32 offset) {
    if (unlikely(offset > 0xffff || offset & 1 || skb_writable(skb, offset + 2))) return NULL;
    return low(skb->data) + offset;
}

/* Replaces `from` by `to` in a sum: `size` bytes each, or the difference `to`. */
static s64 replaced(u16 sum, u64 from, u64 to, u32 size) {
    switch (size) {
    case 0: return from ? -EINVAL : csum_fold(csum_add(to, ~(u32)sum));
    case 2: from &= 0xffff, to &= 0xffff; /* fall through */
    case 4: return csum_fold(csum_add(csum_add(~(u32)sum, ~(u32)from), to));
    default: return -EINVAL;
    }
}

HELPER(long, l3_csum_replace, (struct __sk_buff *skb, u32 offset, u64 from, u64 to, u64 flags)) {
    if (unlikely(flags & ~(u64)BPF_F_HDR_FIELD_MASK)) return -EINVAL;
    u8 *at = field(skb, offset);
    if (!at) return -EFAULT;
    u16 sum;
    memcpy(&sum, at, 2);
    s64 result;
    if (flags == 2) {
        /* csum_replace2 works with 16 bits. */
        u32 wide = (u16)~sum + (u32)(u16)~from;
        wide = (u16)(wide + (wide >> 16)) + (u32)(u16)to;
        result = (u16)~(wide + (wide >> 16));
    } else {
        result = replaced(sum, from, to, flags);
    }
    if (result < 0) return result;
    sum = result;
    memcpy(at, &sum, 2);
    return 0;
}

HELPER(long, l4_csum_replace, (struct __sk_buff *skb, u32 offset, u64 from, u64 to, u64 flags)) {
    u64 known = BPF_F_HDR_FIELD_MASK | BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0 | BPF_F_MARK_ENFORCE | BPF_F_IPV6;
    if (unlikely(flags & ~known)) return -EINVAL;
    u8 *at = field(skb, offset);
    if (!at) return -EFAULT;
    u16 sum;
    memcpy(&sum, at, 2);
    int keeps_zero = !!(flags & BPF_F_MARK_MANGLED_0);
    if (keeps_zero && !(flags & BPF_F_MARK_ENFORCE) && !sum) return 0;
    s64 result = replaced(sum, from, to, flags & BPF_F_HDR_FIELD_MASK);
    if (result < 0) return result;
    sum = keeps_zero && !result ? CSUM_MANGLED_0 : result;
    memcpy(at, &sum, 2);
    return 0;
}

/* Sums over the whole packet come from devices (CHECKSUM_COMPLETE), of which there are none here. */
HELPER(s64, csum_update, (struct __sk_buff *skb, u32 sum)) {
    return -ENOTSUPP;
}

HELPER(long, csum_level, (struct __sk_buff *skb, u64 level)) {
    struct record *record = record_of(skb);
    u32 unnecessary = record && record->ip_summed == CHECKSUM_UNNECESSARY;
    switch (level) {
    case BPF_CSUM_LEVEL_QUERY: return unnecessary ? record->csum_level : -EACCES;
    case BPF_CSUM_LEVEL_INC:
        if (unnecessary && record->csum_level < SKB_MAX_CSUM_LEVEL) record->csum_level++;
        else if (record && !unnecessary) record->csum_level = 0, record->ip_summed = CHECKSUM_UNNECESSARY;
        return 0;
    case BPF_CSUM_LEVEL_DEC:
        if (unnecessary && record->csum_level) record->csum_level--;
        else if (unnecessary) record->ip_summed = CHECKSUM_NONE;
        return 0;
    case BPF_CSUM_LEVEL_RESET: skb_reset_csum(skb); return 0;
    default: return -EINVAL;
    }
}
