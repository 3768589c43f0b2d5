/* A JSON reader that recurses: numbers summed, strings hashed, depth counted. */
#include "bench.h"

static const char text[] =
	"{\"id\": 421, \"name\": \"bpf \\\"quoted\\\" program\", \"tags\": [\"xdp\", \"tc\", \"kprobe\", null],\n"
	" \"stats\": {\"runs\": 1048576, \"time\": -93184, \"drops\": 0, \"ratio\": 0.125e2},\n"
	" \"maps\": [{\"id\": 1, \"type\": \"hash\", \"key\": 4, \"value\": 64, \"frozen\": false},\n"
	"            {\"id\": 2, \"type\": \"array\", \"key\": 4, \"value\": 8, \"frozen\": true},\n"
	"            {\"id\": 3, \"type\": \"ringbuf\", \"entries\": 262144, \"flags\": []}],\n"
	" \"matrix\": [[1, 2, 3], [4, 5, 6], [7, 8, [9, [10, [11]]]]],\n"
	" \"comment\": \"plain text of some length, so that strings take their share of the time\"}";

struct reader {
	const u8 *at, *end;
	u64 sum;
	u32 depth;
	int failed;
};

static int value(struct reader *r);

static void blanks(struct reader *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r'))
		r->at++;
}

static int accept(struct reader *r, u8 wanted)
{
	blanks(r);
	if (r->at < r->end && *r->at == wanted) {
		r->at++;
		return 1;
	}
	return 0;
}

static int string(struct reader *r)
{
	u64 hash = 5381;
	if (!accept(r, '"'))
		return 0;
	while (r->at < r->end && *r->at != '"') {
		if (*r->at == '\\')
			r->at++;
		hash = hash * 33 + *r->at++;
	}
	r->sum += hash;
	return accept(r, '"');
}

static int number(struct reader *r)
{
	i64 result = 0, scale = 0;
	int negative = *r->at == '-';
	r->at += negative;
	const u8 *start = r->at;
	for (; r->at < r->end; r->at++) {
		u32 c = *r->at;
		if (c - '0' < 10)
			result = result * 10 + (c - '0');
		else if (c == '.' || c == 'e' || c == '+')
			scale++;
		else
			break;
	}
	r->sum += (u64)((negative ? -result : result) + scale);
	return r->at > start;
}

static int word(struct reader *r, const char *wanted)
{
	for (; *wanted; wanted++, r->at++)
		if (r->at >= r->end || *r->at != (u8)*wanted)
			return 0;
	return 1;
}

static noinline int members(struct reader *r, u8 close)
{
	if (accept(r, close))
		return 1;
	do {
		if (close == '}' && !(string(r) && accept(r, ':')))
			return 0;
		if (!value(r))
			return 0;
	} while (accept(r, ','));
	return accept(r, close);
}

static noinline int value(struct reader *r)
{
	int good;
	blanks(r);
	if (r->at >= r->end || r->depth > 32)
		return 0;
	switch (*r->at) {
	case '{':
	case '[':
		r->depth++;
		r->sum += r->depth;
		good = members(r, *r->at++ == '{' ? '}' : ']');
		r->depth--;
		return good;
	case '"':
		return string(r);
	case 't':
		return word(r, "true");
	case 'f':
		return word(r, "false");
	case 'n':
		return word(r, "null");
	default:
		return number(r);
	}
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *copy = buffer;
	u64 sum = 0;
	for (u32 i = 0; i < sizeof text; i++)
		copy[i] = (u8)text[i];
	for (u64 n = 0; n < iterations; n++) {
		struct reader r = { copy, copy + sizeof text - 1, 0, 0, 0 };
		sum = mix(sum, (u64)value(&r) + r.sum);
	}
	return sum;
}
