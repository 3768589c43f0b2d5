/* Values without parts, printed by their types: integers, enums, pointers, bit-fields. In: the bytes of a value. Out: text, as the
   kernel's btf_int_show, btf_enum_show, btf_ptr_show and btf_bitfield_show make it, but that pointers are their addresses, and not
   hashes. The rule: what is zero is left out, unless it is all that is printed, or SHOW_ZERO. */
#include "helpers/show.h"

/* A value that has no parts, as text. */
static void text_value(struct show *show, const char *text)
{
    indent(show);
    name(show);
    piece(show, text);
    delimiter(show);
    line_end(show);
    if (show->depth > show->depth_to_show)
        show->depth_to_show = show->depth;
}

/* Writes a number in front of `end`, with at least `digits` digits; where it begins. */
static char *digits_of(char *end, u64 number, u32 base, u32 digits)
{
    for (u32 i = 0; i < digits || number; i++, number /= base)
        *--end = "0123456789abcdef"[number % base];
    return end;
}

/* Writes a text in front of `at`; where it begins. */
static char *in_front(char *at, const char *text, u32 length)
{
    while (length)
        *--at = text[--length];
    return at;
}

static u32 is_left_out(const struct show *show, u64 value)
{
    return !value && !(show->flags & SHOW_ZERO) && show->depth;
}

static void number_value(struct show *show, u64 value, u32 is_signed)
{
    char text[24];
    char *end = text + sizeof text - 1;
    *end = 0;
    u32 is_negative = is_signed && (s64)value < 0;
    char *start = digits_of(end, is_negative ? -value : value, 10, 1);
    if (!is_left_out(show, value))
        text_value(show, is_negative ? in_front(start, "-", 1) : start);
}

/* A number in hexadecimal digits, at least so many of them. */
static void hexadecimal_value(struct show *show, u64 high, u64 low, u32 digits)
{
    char text[40];
    char *end = text + sizeof text - 1;
    *end = 0;
    char *start = digits_of(end, low, 16, high ? 16 : digits);
    if (high)
        start = digits_of(start, high, 16, 1);
    if (!is_left_out(show, high | low))
        text_value(show, in_front(start, "0x", 2));
}

weak void bpf2native_rt_show_bits(struct show *show, const char *bytes, u32 first, u32 count)
{
    u64 high = 0, low = 0;
    for (u32 i = 0; i < count; i++) {
        /* From the least bit on. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        u32 at = first + i, in_byte = at % 8;
#else
        u32 at = first + count - 1 - i, in_byte = 7 - at % 8;
#endif
        u64 bit = (u8)bytes[at / 8] >> in_byte & 1;
        if (i < 64)
            low |= bit << i;
        else if (i < 128)
            high |= bit << (i - 64);
    }
    hexadecimal_value(show, high, low, 1);
}

/* Characters that the kernel prints (isprint of its lib/ctype.c, whose table is of Latin 1). */
static u32 is_printable(u8 c) { return (c >= ' ' && c <= '~') || c >= 160; }

/* An element of an array of characters; whether it is shown as one. */
static u32 character_value(struct show *show, u8 c)
{
    if (show->array_terminated)
        return 1;
    if (!c) {
        show->array_terminated = 1;
        return 1;
    }
    if (!is_printable(c))
        return 0;
    char text[4] = { '\'', c, '\'', 0 };
    text_value(show, text);
    return 1;
}

static void show_int(struct show *show, const struct type *type, const char *bytes, u32 first)
{
    u64 number;
    if (first || type->bit_offset || type->bits % 8) {
        first += type->bit_offset;
        bpf2native_rt_show_bits(show, bytes + first / 8, first % 8, type->bits);
        return;
    }
    switch (type->bits) {
    case 128: {
        u64 halves[2];
        __builtin_memcpy(halves, bytes, 16);
        u32 high = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
        hexadecimal_value(show, halves[high], halves[!high], 1);
        return;
    }
    case 64: __builtin_memcpy(&number, bytes, 8); break;
    case 32: {
        u32 word;
        __builtin_memcpy(&word, bytes, 4);
        number = type->is_signed ? (u64)(s32)word : word;
        break;
    }
    case 16: {
        u16 half;
        __builtin_memcpy(&half, bytes, 2);
        number = type->is_signed ? (u64)(s16)half : half;
        break;
    }
    case 8:
        if (show->array_of_chars && character_value(show, *bytes))
            return;
        number = type->is_signed ? (u64)(s8)*bytes : (u8)*bytes;
        break;
    default: bpf2native_rt_show_bits(show, bytes, 0, type->bits); return;
    }
    number_value(show, number, type->is_signed);
}

static void show_enum(struct show *show, const struct type *type, const char *bytes)
{
    u64 value;
    if (type->kind == KIND_ENUM64) {
        __builtin_memcpy(&value, bytes, 8);
    } else {
        /* Four bytes, whatever the size. */
        u32 word;
        __builtin_memcpy(&word, bytes, 4);
        value = type->is_signed ? (u64)(s32)word : word;
    }
    const struct part *parts = show->types->parts + type->first;
    for (u32 i = 0; i < type->count; i++) {
        if (value == ((u64)parts[i].at << 32 | parts[i].of)) {
            const char *text = show->types->text + parts[i].name;
            text_value(show, *text ? text : "(anon)");
            return;
        }
    }
    number_value(show, value, type->is_signed);
}

weak void bpf2native_rt_show_scalar(struct show *show, const struct type *type, const char *bytes, u32 first)
{
    u64 address;
    switch (type->kind) {
    case KIND_INT: show_int(show, type, bytes, first); break;
    case KIND_PTR:
        __builtin_memcpy(&address, bytes, 8);
        hexadecimal_value(show, 0, address, 16);
        break;
    default: show_enum(show, type, bytes); break;
    }
}
