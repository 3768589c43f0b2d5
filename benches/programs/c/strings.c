/* strlen, strcmp, strchr and a copy, written out, over words in 4 KiB. */
#include "bench.h"

enum { TEXT = 4096 };

static noinline u64 length(const char *s)
{
	const char *end = s;
	while (*end)
		end++;
	return (u64)(end - s);
}

static noinline int compare(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (u8)*a - (u8)*b;
}

static noinline const char *find(const char *s, char wanted)
{
	for (; *s != wanted; s++)
		if (!*s)
			return 0;
	return s;
}

static noinline char *copy(char *to, const char *from)
{
	while ((*to++ = *from++))
		;
	return to;
}

u64 bench(void *buffer, u64 iterations)
{
	char *text = buffer, *out = text + TEXT;
	for (u32 i = 0; i < TEXT; i++)
		text[i] = (text[i] & 15) == 0 ? 0 : 'a' + (text[i] & 3);
	text[TEXT - 1] = 0;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		const char *last = "";
		u64 found = 0;
		for (const char *at = text; at < text + TEXT; at += length(at) + 1) {
			const char *c = find(at, 'c');
			found += c ? (u64)(c - at) : 100;
			found += (u64)compare(last, at);
			found += (u64)(copy(out, at) - out);
			last = at;
		}
		sum = mix(sum, found);
	}
	return sum;
}
