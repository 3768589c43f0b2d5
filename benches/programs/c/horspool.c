/* Search of a pattern in 8 KiB by Boyer, Moore and Horspool: jumps by the last letter. */
#include "bench.h"

enum { TEXT = 8192, PATTERN = 8 };

static u32 find(const u8 *text, const u8 *pattern, const u8 *skip)
{
	u32 found = 0;
	for (u32 at = 0; at + PATTERN <= TEXT; at += skip[text[at + PATTERN - 1]]) {
		u32 i = PATTERN;
		while (i > 0 && text[at + i - 1] == pattern[i - 1])
			i--;
		if (i == 0)
			found += at;
	}
	return found;
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *text = buffer, *pattern = text + TEXT, *skip = pattern + PATTERN;
	for (u32 i = 0; i < TEXT; i++)
		text[i] = 'a' + (text[i] & 15);
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < PATTERN; i++)
			pattern[i] = text[(n * 131 + i) % TEXT];
		for (u32 i = 0; i < 256; i++)
			skip[i] = PATTERN;
		for (u32 i = 0; i + 1 < PATTERN; i++)
			skip[pattern[i]] = (u8)(PATTERN - 1 - i);
		sum += find(text, pattern, skip);
	}
	return sum;
}
