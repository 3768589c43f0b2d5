/* A backtracking matcher of regular expressions: classes, repetitions, groups of alternatives, anchors. */
#include "bench.h"

enum { TEXT = 1024 };

static const char *const patterns[] = { "[a-f]+x?d", "e.*a$", "(ab|cd|ef)+", "^[^x]*x[abc]+", "b+c+d+", ".e(a|b)f*" };

struct match {
	const char *text, *end;
	u32 steps;
};

static noinline const char *match_here(struct match *match, const char *pattern, const char *text);

/* Where the atom at `pattern` ends. */
static noinline const char *skip(const char *pattern)
{
	if (*pattern == '[') {
		while (*++pattern != ']')
			;
		return pattern + 1;
	}
	if (*pattern == '(') {
		u32 depth = 0;
		do {
			depth += *pattern == '(';
			depth -= *pattern == ')';
			pattern++;
		} while (depth);
		return pattern;
	}
	return pattern + 1;
}

static noinline int matches_class(const char *pattern, char byte)
{
	int negated = pattern[1] == '^', found = 0;
	for (pattern += 1 + negated; *pattern != ']'; pattern++) {
		if (pattern[1] == '-' && pattern[2] != ']') {
			found |= pattern[0] <= byte && byte <= pattern[2];
			pattern += 2;
		} else {
			found |= *pattern == byte;
		}
	}
	return found != negated;
}

static int matches_one(const char *pattern, char byte)
{
	return *pattern == '[' ? matches_class(pattern, byte) : *pattern == '.' || *pattern == byte;
}

/* The rest after a group's alternative that matched at `text`. */
static noinline const char *match_group(struct match *match, const char *group, const char *rest, const char *text, int many)
{
	for (const char *way = group + 1;;) {
		const char *at = text;
		while (*way != '|' && *way != ')' && at < match->end && *way == *at)
			way++, at++;
		if (*way == '|' || *way == ')') {
			const char *found = many ? match_group(match, group, rest, at, 1) : 0;
			if (!found)
				found = match_here(match, rest, at);
			if (found)
				return found;
		}
		while (*way != '|' && *way != ')')
			way++;
		if (*way++ == ')')
			return 0;
	}
}

static noinline const char *match_here(struct match *match, const char *pattern, const char *text)
{
	for (;;) {
		match->steps++;
		if (!*pattern)
			return text;
		if (*pattern == '$' && !pattern[1])
			return text == match->end ? text : 0;
		const char *next = skip(pattern);
		if (*pattern == '(')
			return match_group(match, pattern, next + (*next == '+'), text, *next == '+');
		if (*next == '*' || *next == '+' || *next == '?') {
			const char *most = text, *least = text + (*next == '+');
			while (most < match->end && matches_one(pattern, *most) && (*next != '?' || most == text))
				most++;
			for (; most >= least; most--) {
				const char *found = match_here(match, next + 1, most);
				if (found)
					return found;
			}
			return 0;
		}
		if (text >= match->end || !matches_one(pattern, *text))
			return 0;
		pattern = next;
		text++;
	}
}

u64 bench(void *buffer, u64 iterations)
{
	char *text = buffer;
	u64 sum = 0;
	for (u32 i = 0; i < TEXT; i++)
		text[i] = "abcdefabcdefabcx"[text[i] & 15];
	for (u64 n = 0; n < iterations; n++) {
		const char *line = text + n % 16 * 64;
		struct match match = { line, line + 64, 0 };
		for (u32 i = 0; i < sizeof patterns / sizeof *patterns; i++) {
			const char *pattern = patterns[i], *found = 0;
			const char *last = *pattern == '^' ? line : match.end;
			for (const char *at = line; at <= last && !found; at++)
				found = match_here(&match, pattern + (*pattern == '^'), at);
			sum += found ? (u64)(found - line) : 99;
		}
		sum = mix(sum, match.steps);
	}
	return sum;
}
