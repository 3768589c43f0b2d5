/* Strings: bpf_strlen, bpf_strchr and so on. In: addresses of any kind. Out: lengths and indexes; -ENOENT for what is not
   found, -EFAULT for what cannot be read, -E2BIG for what does not end in 64 KiB. The rule: nothing is read beyond what
   decides the result, and that in a way that cannot fault (helpers/memory.h). */
#include "helpers/memory.h"

enum { LONGEST = 65536 };

static s32 find(const char *text, u64 count, u8 wanted, u32 or_end)
{
    struct bytes known = { 0 };
    for (u32 i = 0; i < LONGEST; i++) {
        if (i >= count)
            return -ENOENT;
        long byte = byte_at(&known, text + i);
        if (byte < 0 || byte == wanted || (or_end && !byte))
            return byte < 0 ? byte : (s32)i;
        if (!byte)
            return -ENOENT;
    }
    return -E2BIG;
}

KFUNC(s32, bpf_strchr, (const char *text, char c)) { return find(text, ~0ul, c, 0); }

KFUNC(s32, bpf_strnchr, (const char *text, u64 count, char c)) { return find(text, count, c, 0); }

KFUNC(s32, bpf_strchrnul, (const char *text, char c)) { return find(text, ~0ul, c, 1); }

KFUNC(s32, bpf_strrchr, (const char *text, s32 c))
{
    struct bytes known = { 0 };
    s32 last = -ENOENT;
    for (u32 i = 0; i < LONGEST; i++) {
        long byte = byte_at(&known, text + i);
        if (byte < 0)
            return byte;
        if (byte == (u8)c)
            last = i;
        if (!byte)
            return last;
    }
    return -E2BIG;
}

static s32 length(const char *text, u64 count)
{
    struct bytes known = { 0 };
    for (u32 i = 0; i < LONGEST; i++) {
        if (i >= count)
            return i;
        long byte = byte_at(&known, text + i);
        if (byte <= 0)
            return byte < 0 ? byte : (s32)i;
    }
    return -E2BIG;
}

KFUNC(s32, bpf_strlen, (const char *text)) { return length(text, ~0ul); }

KFUNC(s32, bpf_strnlen, (const char *text, u64 count)) { return length(text, count); }

static u8 lower(u8 c) { return c >= 'A' && c <= 'Z' ? c | 0x20 : c; }

static s32 compare(const char *one, const char *other, u32 any_case)
{
    struct bytes known_one = { 0 }, known_other = { 0 };
    for (u32 i = 0; i < LONGEST; i++) {
        long a = byte_at(&known_one, one + i), b = byte_at(&known_other, other + i);
        if (a < 0 || b < 0)
            return -EFAULT;
        u8 x = any_case ? lower(a) : a, y = any_case ? lower(b) : b;
        if (x != y)
            return x < y ? -1 : 1;
        if (!a)
            return 0;
    }
    return -E2BIG;
}

KFUNC(s32, bpf_strcmp, (const char *one, const char *other)) { return compare(one, other, 0); }

KFUNC(s32, bpf_strcasecmp, (const char *one, const char *other)) { return compare(one, other, 1); }

/* How many bytes at the start are (`wanted`) or are not in `set`. */
static s32 span(const char *text, const char *set, u32 wanted)
{
    struct bytes known_text = { 0 }, known_set = { 0 };
    for (u32 i = 0; i < LONGEST; i++) {
        long byte = byte_at(&known_text, text + i), member = -1;
        if (byte <= 0)
            return byte < 0 ? byte : (s32)i;
        u32 j = 0;
        for (; j < LONGEST; j++) {
            member = byte_at(&known_set, set + j);
            if (member < 0)
                return member;
            if (!member || member == byte)
                break;
        }
        if (j == LONGEST)
            return -E2BIG;
        if (!!member != wanted)
            return i;
    }
    return -E2BIG;
}

KFUNC(s32, bpf_strspn, (const char *text, const char *accepted)) { return span(text, accepted, 1); }

KFUNC(s32, bpf_strcspn, (const char *text, const char *rejected)) { return span(text, rejected, 0); }

/* Where `part` begins in the first `count` bytes of `text`. */
static s32 find_string(const char *text, const char *part, u64 count)
{
    struct bytes known_text = { 0 }, known_part = { 0 };
    for (u32 i = 0; i < LONGEST; i++) {
        u32 j = 0;
        for (; i + (u64)j <= count && j < LONGEST; j++) {
            long wanted = byte_at(&known_part, part + j);
            if (wanted <= 0)
                return wanted < 0 ? wanted : (s32)i;
            if (i + (u64)j == count)
                break;
            long byte = byte_at(&known_text, text + i + j);
            if (byte <= 0)
                return byte < 0 ? byte : -ENOENT;
            if (byte != wanted)
                break;
        }
        if (j == LONGEST)
            return -E2BIG;
        if (i + (u64)j == count)
            return -ENOENT;
    }
    return -E2BIG;
}

KFUNC(s32, bpf_strstr, (const char *text, const char *part)) { return find_string(text, part, LONGEST); }

KFUNC(s32, bpf_strnstr, (const char *text, const char *part, u64 count)) { return find_string(text, part, count); }
