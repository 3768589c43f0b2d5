/* JSON as a tree of values in an arena, by recursive descent, and written again. */
#include "bench.h"

enum kind { NONE, TRUE, FALSE, NUMBER, STRING, ARRAY, OBJECT };

struct value {
	struct value *next, *first;
	const char *name, *text;
	u32 name_length, length, kind;
	i64 number;
};

struct parser {
	const char *at;
	struct value *next;
	u32 depth, failed;
};

static const char document[] =
	"{\"name\": \"bench\", \"numbers\": [1, -2, 3000, 4294967296, 0], \"nested\": {\"a\": {\"b\": [true, false, null]},"
	" \"text\": \"some \\\"quoted\\\" words\\n\"}, \"list\": [[1, [2, [3, [4]]]], {\"x\": 1, \"y\": 22, \"z\": 333}], \"end\": null}";

static void space(struct parser *parser)
{
	while (*parser->at == ' ' || *parser->at == '\n' || *parser->at == '\t')
		parser->at++;
}

static noinline const char *string(struct parser *parser, u32 *length)
{
	const char *start = ++parser->at;
	while (*parser->at != '"') {
		if (*parser->at == '\\')
			parser->at++;
		if (!*parser->at) {
			parser->failed = 1;
			break;
		}
		parser->at++;
	}
	*length = (u32)(parser->at - start);
	parser->at += *parser->at == '"';
	return start;
}

static noinline struct value *parse(struct parser *parser)
{
	struct value *value = parser->next++, **last = &value->first;
	value->next = value->first = 0;
	value->name_length = value->length = 0;
	space(parser);
	char c = *parser->at;
	if (c == '{' || c == '[') {
		char end = c == '{' ? '}' : ']';
		value->kind = c == '{' ? OBJECT : ARRAY;
		parser->at++;
		parser->depth++;
		for (space(parser); *parser->at != end && !parser->failed; space(parser)) {
			const char *name = 0;
			u32 length = 0;
			if (c == '{') {
				name = string(parser, &length);
				space(parser);
				parser->failed |= *parser->at++ != ':';
			}
			struct value *member = parse(parser);
			member->name = name;
			member->name_length = length;
			*last = member;
			last = &member->next;
			space(parser);
			if (*parser->at == ',')
				parser->at++;
		}
		parser->at++;
		parser->depth--;
	} else if (c == '"') {
		value->kind = STRING;
		value->text = string(parser, &value->length);
	} else if (c == '-' || (u8)(c - '0') < 10) {
		i64 number = 0;
		for (parser->at += c == '-'; (u8)(*parser->at - '0') < 10; parser->at++)
			number = number * 10 + (*parser->at - '0');
		value->kind = NUMBER;
		value->number = c == '-' ? -number : number;
	} else {
		value->kind = c == 't' ? TRUE : c == 'f' ? FALSE : NONE;
		while ((u8)(*parser->at - 'a') < 26)
			parser->at++;
	}
	return value;
}

static char *put(char *to, const char *bytes, u32 length)
{
	for (u32 i = 0; i < length; i++)
		*to++ = bytes[i];
	return to;
}

static noinline char *write(char *to, const struct value *value)
{
	char digits[24];
	u32 count = 0;
	switch ((enum kind)value->kind) {
	case NONE: return put(to, "null", 4);
	case TRUE: return put(to, "true", 4);
	case FALSE: return put(to, "false", 5);
	case NUMBER: {
		u64 number = value->number < 0 ? -(u64)value->number : (u64)value->number;
		do
			digits[count++] = (char)('0' + number % 10);
		while (number /= 10);
		if (value->number < 0)
			*to++ = '-';
		while (count > 0)
			*to++ = digits[--count];
		return to;
	}
	case STRING:
		*to++ = '"';
		to = put(to, value->text, value->length);
		*to++ = '"';
		return to;
	case ARRAY:
	case OBJECT:
		break;
	}
	*to++ = value->kind == OBJECT ? '{' : '[';
	for (const struct value *member = value->first; member; member = member->next) {
		if (value->kind == OBJECT) {
			*to++ = '"';
			to = put(to, member->name, member->name_length);
			*to++ = '"';
			*to++ = ':';
		}
		to = write(to, member);
		if (member->next)
			*to++ = ',';
	}
	*to++ = value->kind == OBJECT ? '}' : ']';
	return to;
}

u64 bench(void *buffer, u64 iterations)
{
	char *text = buffer, *out = text + 512;
	u64 sum = 0;
	for (u32 i = 0; i < sizeof document; i++)
		text[i] = document[i];
	for (u64 n = 0; n < iterations; n++) {
		text[10 + n % 5] = (char)('a' + n % 26);
		struct parser parser = { text, (struct value *)(out + 512), 0, 0 };
		struct value *value = parse(&parser);
		u64 length = (u64)(write(out, value) - out);
		sum = mix(sum, length ^ (u64)out[n % length] << 32 ^ (u64)parser.failed << 48);
	}
	return sum;
}
