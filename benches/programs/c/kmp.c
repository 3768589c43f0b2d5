/* Search of a pattern in 4 KiB of four letters, by Knuth, Morris and Pratt. */
#include "bench.h"

enum { TEXT = 4096, PATTERN = 12 };

static u32 count(const u8 *text, const u8 *pattern, const u32 *failure)
{
	u32 matched = 0, found = 0;
	for (u32 i = 0; i < TEXT; i++) {
		while (matched > 0 && pattern[matched] != text[i])
			matched = failure[matched - 1];
		if (pattern[matched] == text[i])
			matched++;
		if (matched == PATTERN) {
			found += i;
			matched = failure[matched - 1];
		}
	}
	return found;
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *text = buffer, *pattern = text + TEXT;
	u32 failure[PATTERN];
	for (u32 i = 0; i < TEXT; i++)
		text[i] = (text[i] & 7) < 5 ? 'a' : "bc"[text[i] & 1];
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < PATTERN; i++)
			pattern[i] = text[(n * 61 + i) % TEXT];
		failure[0] = 0;
		for (u32 i = 1, length = 0; i < PATTERN; i++) {
			while (length > 0 && pattern[i] != pattern[length])
				length = failure[length - 1];
			if (pattern[i] == pattern[length])
				length++;
			failure[i] = length;
		}
		sum += count(text, pattern, failure);
	}
	return sum;
}
