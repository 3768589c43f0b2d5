/* Numbers from text: bpf_strtol and bpf_strtoul; and bpf_strncmp. In: text of a given length, which need not end with 0.
   Out: the number, and how many characters it has. The rule: the kernel's kstrtox, not C's: at most 63 characters count,
   and what does not fit is -ERANGE. */
#include "runtime.h"

enum { BASE_MASK = 31, LONGEST = 63 };

static u32 is_space(u8 c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0; }

/* The value of a digit in bases up to 16, or 16. */
static u32 digit(u8 c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

static long parse(const char *text, u64 size, u64 flags, u64 *value, u32 *negative)
{
    u64 base = flags & BASE_MASK;
    if (!size || flags & ~(u64)BASE_MASK || (base != 0 && base != 8 && base != 10 && base != 16))
        return -EINVAL;
    u64 at = 0;
    while (at < size && is_space(text[at]))
        at++;
    *negative = at < size && text[at] == '-';
    at += *negative;
    u64 end = size - at > LONGEST ? at + LONGEST : size;
    u32 zero = at < end && text[at] == '0', hex = zero && at + 1 < end && (text[at + 1] | 0x20) == 'x';
    if (base == 0)
        base = hex && at + 2 < end && digit(text[at + 2]) < 16 ? 16 : zero ? 8 : 10;
    if (base == 16 && hex)
        at += 2;
    u64 first = at, result = 0, overflow = 0;
    for (; at < end && digit(text[at]) < base; at++) {
        u64 next = digit(text[at]);
        if (result > (~0ul - next) / base)
            overflow = 1;
        result = result * base + next;
    }
    if (overflow)
        return -ERANGE;
    *value = result;
    return at == first ? -EINVAL : (long)at;
}

HELPER(long, strtol, (const char *text, u64 size, u64 flags, s64 *result))
{
    u64 value;
    u32 negative;
    *result = 0;
    long length = parse(text, size, flags, &value, &negative);
    if (length < 0)
        return length;
    if (value > (1ul << 63) - !negative)
        return -ERANGE;
    *result = negative ? -value : value;
    return length;
}

HELPER(long, strtoul, (const char *text, u64 size, u64 flags, u64 *result))
{
    u64 value;
    u32 negative;
    *result = 0;
    long length = parse(text, size, flags, &value, &negative);
    if (length < 0)
        return length;
    if (negative)
        return -EINVAL;
    *result = value;
    return length;
}

HELPER(long, strncmp, (const char *one, u32 size, const char *other))
{
    for (u32 i = 0; i < size; i++) {
        u8 a = one[i], b = other[i];
        if (a != b)
            return a < b ? -1 : 1;
        if (!a)
            break;
    }
    return 0;
}
