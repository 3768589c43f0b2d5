/* A string builder that grows, and a formatter of the kind of printf: widths, zeros, signs, hexadecimal digits, strings. */
#include "bench.h"

enum { HEAP = 8192 };

struct builder {
	char *text;
	u32 length, room;
	char *heap, *end;
};

union argument {
	i64 number;
	const char *text;
};

static noinline void grow(struct builder *builder, u32 more)
{
	u32 room = builder->room * 2 > builder->length + more ? builder->room * 2 : builder->length + more;
	if (builder->heap + room > builder->end)
		builder->heap = builder->end - HEAP;
	char *text = builder->heap;
	builder->heap += room;
	for (u32 i = 0; i < builder->length; i++)
		text[i] = builder->text[i];
	builder->text = text;
	builder->room = room;
}

static void put(struct builder *builder, char byte)
{
	if (builder->length == builder->room)
		grow(builder, 1);
	builder->text[builder->length++] = byte;
}

static noinline void pad(struct builder *builder, char byte, i32 count)
{
	while (count-- > 0)
		put(builder, byte);
}

static noinline void put_text(struct builder *builder, const char *text, u32 length)
{
	if (builder->length + length > builder->room)
		grow(builder, length);
	for (u32 i = 0; i < length; i++)
		builder->text[builder->length + i] = text[i];
	builder->length += length;
}

static noinline void put_number(struct builder *builder, i64 number, u32 base, i32 width, char fill)
{
	char digits[32];
	u32 at = sizeof digits;
	u64 left = base == 10 && number < 0 ? -(u64)number : (u64)number;
	do {
		digits[--at] = "0123456789abcdef"[left % base];
		left /= base;
	} while (left);
	int is_negative = base == 10 && number < 0;
	i32 padding = width - (i32)(sizeof digits - at) - is_negative;
	if (fill == ' ')
		pad(builder, fill, padding);
	if (is_negative)
		put(builder, '-');
	if (fill == '0')
		pad(builder, fill, padding);
	put_text(builder, digits + at, (u32)sizeof digits - at);
}

static noinline void format(struct builder *builder, const char *format, const union argument *arguments)
{
	for (; *format; format++) {
		if (*format != '%') {
			put(builder, *format);
			continue;
		}
		char fill = ' ';
		i32 width = 0;
		if (*++format == '0') {
			fill = '0';
			format++;
		}
		for (; (u8)(*format - '0') < 10; format++)
			width = width * 10 + (*format - '0');
		switch (*format) {
		case 'd': put_number(builder, (arguments++)->number, 10, width, fill); break;
		case 'x': put_number(builder, (arguments++)->number, 16, width, fill); break;
		case 'c': put(builder, (char)(arguments++)->number); break;
		case 's': {
			const char *text = (arguments++)->text;
			u32 length = 0;
			while (text[length])
				length++;
			pad(builder, ' ', width - (i32)length);
			put_text(builder, text, length);
			break;
		}
		default: put(builder, *format); break;
		}
	}
}

u64 bench(void *buffer, u64 iterations)
{
	char *heap = buffer;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		struct builder builder = { heap, 0, 0, heap, heap + HEAP };
		for (u32 i = 0; i < 6; i++) {
			const union argument arguments[] = { { .text = "item" }, { .number = (i64)(n * 1237 + i) },
							     { .number = -(i64)(n + i * 77777) }, { .number = 'a' + i },
							     { .number = (i64)(n * 0x9e3779b9) } };
			format(&builder, "%8s %04d: [%10d] '%c' %x%%\n", arguments);
		}
		for (u32 i = 0; i < builder.length; i += 16)
			sum = sum * 3 + (u8)builder.text[i];
		sum = mix(sum, builder.length);
	}
	return sum;
}
