/* Formats: bpf2native_rt_format, for all helpers that print. In: a format and 64-bit arguments. Out: text. The rule: that
   of the kernel's bpf_bprintf_prepare, which says what is a format (no precision, no %n, no %f; %s and the like need
   something other than a letter after them), and of its vsnprintf. Other than there: %p is the address, as %px is, since
   there is nothing to hide; and %ps, %pS and %pB are addresses too, as the kernel has them where it knows no symbol. */
#include "helpers/format.h"
#include "helpers/memory.h"

/* What the kernel's buffer for arguments holds: strings are cut off there. */
enum { STRINGS = 512 };

enum { LEFT = 1, PLUS = 2, SPACE = 4, ZERO = 8 };

/* A conversion, from `%` on. */
struct conversion {
    u32 flags;
    u32 width;
    u32 longs;     /* how many l */
    u8 kind;       /* the letter: d i u x X c s p; B for symbols, A for addresses of networks */
    u8 address[2]; /* I4, i4, I6 or i6 */
    u64 end;       /* where the text goes on */
};

struct output {
    char *start;
    u64 size;
    u64 length;
    u64 strings; /* bytes of strings that may yet come */
};

static void put(struct output *out, char c)
{
    if (out->length < out->size)
        out->start[out->length] = c;
    out->length++;
}

static void fill(struct output *out, char c, s64 count)
{
    for (; count > 0; count--)
        put(out, c);
}

static u32 is_space(u8 c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static u32 is_letter_or_digit(u8 c) { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'); }

/* Whether a string's or pointer's conversion may have `c` after it. */
static u32 is_end(u8 c) { return c < 128 && !is_letter_or_digit(c) && (!c || c > ' ' || is_space(c)) && c != 127; }

/* Reads the conversion whose `%` is at `at`; 0 if it is none. */
static u32 read_conversion(const char *text, u64 at, struct conversion *to)
{
    to->flags = to->width = to->longs = 0;
    for (at++;; at++) {
        u8 c = text[at];
        u32 flag = c == '-' ? LEFT : c == '+' ? PLUS : c == ' ' ? SPACE : c == '0' ? ZERO : 0;
        if (!flag)
            break;
        to->flags |= flag;
    }
    for (; text[at] >= '0' && text[at] <= '9'; at++)
        to->width = to->width < 100000 ? to->width * 10 + (text[at] - '0') : to->width;
    u8 c = text[at++];
    if (c == 'p') {
        u8 next = text[at];
        to->kind = is_end(next) ? 'p' : next;
        u32 valid = is_end(next) ? next != '%' : 1;
        if (is_end(next))
            at--;
        else if ((next == 'k' || next == 'u') && text[at + 1] == 's')
            to->kind = 's', at++, valid = is_end(text[at + 1]);
        else if (next == 'K' || next == 'x' || next == 's' || next == 'S' || next == 'B')
            to->kind = next == 'K' || next == 'x' ? 'p' : 'B';
        else if ((next == 'i' || next == 'I') && (text[at + 1] == '4' || text[at + 1] == '6'))
            to->kind = 'A', to->address[0] = next, to->address[1] = text[++at];
        else
            valid = 0;
        to->end = at + 1;
        return valid;
    }
    for (; c == 'l' && to->longs < 2; c = text[at++])
        to->longs++;
    to->kind = c;
    to->end = at;
    if (to->longs == 0 && c == 's')
        return is_end(text[at]);
    return (to->longs == 0 && c == 'c') || c == 'd' || c == 'i' || c == 'u' || c == 'x' || c == 'X';
}

/* Whether the kernel takes the format. */
static u32 is_valid(const struct format *format)
{
    u64 size = 0;
    while (size < format->size && format->text[size])
        size++;
    if (size == format->size)
        return 0;
    u32 count = 0;
    for (u64 at = 0; at < size;) {
        u8 c = format->text[at];
        if ((c < ' ' && !is_space(c)) || c == 127)
            return 0;
        if (c != '%') {
            at++;
        } else if (format->text[at + 1] == '%') {
            at += 2;
        } else {
            struct conversion conversion;
            if (count++ >= format->count || !read_conversion(format->text, at, &conversion))
                return 0;
            at = conversion.end;
        }
    }
    return 1;
}

static void put_number(struct output *out, const struct conversion *conversion, u64 value)
{
    char digits[24];
    u8 kind = conversion->kind;
    u32 is_signed = kind == 'd' || kind == 'i', hex = kind == 'x' || kind == 'X' || kind == 'p';
    u32 base = hex ? 16 : 10, count = 0;
    u32 flags = conversion->flags & LEFT ? conversion->flags & ~ZERO : conversion->flags;
    if (!conversion->longs)
        value = is_signed ? (u64)(s64)(s32)value : (u32)value;
    char sign = 0;
    if (is_signed) {
        sign = (s64)value < 0 ? '-' : flags & PLUS ? '+' : flags & SPACE ? ' ' : 0;
        value = (s64)value < 0 ? -value : value;
    }
    const char ten = (kind == 'X' ? 'A' : 'a') - 10;
    do {
        u8 digit = value % base;
        digits[count++] = digit < 10 ? '0' + digit : ten + digit;
        value /= base;
    } while (value);
    s64 rest = (s64)conversion->width - count - !!sign;
    if (!(flags & (LEFT | ZERO)))
        fill(out, ' ', rest);
    if (sign)
        put(out, sign);
    if (flags & ZERO)
        fill(out, '0', rest);
    while (count)
        put(out, digits[--count]);
    if (flags & LEFT)
        fill(out, ' ', rest);
}

static void put_padded(struct output *out, const struct conversion *conversion, const char *text, u64 length)
{
    s64 rest = (s64)conversion->width - (s64)length;
    if (!(conversion->flags & LEFT))
        fill(out, ' ', rest);
    for (u64 i = 0; i < length; i++)
        put(out, text[i]);
    if (conversion->flags & LEFT)
        fill(out, ' ', rest);
}

/* An unreadable string is an empty one. */
static void put_string(struct output *out, const struct conversion *conversion, const char *text)
{
    struct bytes known = { 0 };
    u64 length = 0;
    while (length + 1 < out->strings && byte_at(&known, text + length) > 0)
        length++;
    if (byte_at(&known, text + length) < 0)
        length = 0;
    out->strings -= out->strings ? length + 1 : 0;
    s64 rest = (s64)conversion->width - (s64)length;
    if (!(conversion->flags & LEFT))
        fill(out, ' ', rest);
    for (u64 i = 0; i < length; i++)
        put(out, byte_at(&known, text + i));
    if (conversion->flags & LEFT)
        fill(out, ' ', rest);
}

/* An address of the network, in its byte order; I with dots and colons, i with leading zeros or without colons. */
static void put_address(struct output *out, const struct conversion *conversion, const void *from)
{
    u8 bytes[16] = { 0 };
    u32 size = conversion->address[1] == '4' ? 4 : 16;
    if (bpf2native_rt_read(bytes, size, from))
        for (u32 i = 0; i < size; i++)
            bytes[i] = 0;
    struct conversion number = { .kind = size == 4 ? 'u' : 'x', .flags = ZERO };
    number.width = size == 16 ? 2 : conversion->address[0] == 'i' ? 3 : 0;
    for (u32 i = 0; i < size; i++) {
        if (i && size == 4)
            put(out, '.');
        if (i && i % 2 == 0 && size == 16 && conversion->address[0] == 'I')
            put(out, ':');
        put_number(out, &number, bytes[i]);
    }
}

static void put_pointer(struct output *out, const struct conversion *conversion, u64 value)
{
    struct conversion number = *conversion;
    number.kind = 'p';
    number.longs = 2;
    if (!number.width) {
        number.width = 16;
        number.flags |= ZERO;
    }
    put_number(out, &number, value);
}

/* 0x and the address, as a string. */
static void put_symbol(struct output *out, const struct conversion *conversion, u64 value)
{
    char text[24];
    struct output number = { .start = text, .size = sizeof text };
    struct conversion plain = { .kind = 'x', .longs = 2 };
    put(&number, '0');
    put(&number, 'x');
    put_number(&number, &plain, value);
    put_padded(out, conversion, text, number.length);
}

static void put_conversion(struct output *out, const struct conversion *conversion, u64 value)
{
    char c = value;
    switch (conversion->kind) {
    case 's': put_string(out, conversion, (const char *)value); break;
    case 'c': put_padded(out, conversion, &c, 1); break;
    case 'p': put_pointer(out, conversion, value); break;
    case 'B': put_symbol(out, conversion, value); break;
    case 'A': put_address(out, conversion, (const void *)value); break;
    default: put_number(out, conversion, value);
    }
}

weak long bpf2native_rt_format(char *to, u64 size, const struct format *format)
{
    if (!is_valid(format))
        return -EINVAL;
    struct output out = { .start = to, .size = size, .strings = STRINGS };
    const u64 *argument = format->arguments;
    for (u64 at = 0; format->text[at];) {
        char c = format->text[at];
        if (c != '%' || format->text[at + 1] == '%') {
            put(&out, c);
            at += c == '%' ? 2 : 1;
            continue;
        }
        struct conversion conversion;
        read_conversion(format->text, at, &conversion);
        put_conversion(&out, &conversion, *argument++);
        at = conversion.end;
    }
    if (size)
        to[out.length < size ? out.length : size - 1] = 0;
    return out.length;
}
