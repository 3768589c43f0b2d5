/* A tokeniser by a table of states: words, numbers, blanks and signs in 4 KiB. */
#include "bench.h"

enum { TEXT = 4096 };
enum class { BLANK, LETTER, DIGIT, POINT, SIGN, CLASSES };
enum state { START, WORD, NUMBER, FRACTION, OTHER, STATES };

static const u8 next[STATES][CLASSES] = {
	[START] = { START, WORD, NUMBER, OTHER, OTHER },
	[WORD] = { START, WORD, WORD, OTHER, OTHER },
	[NUMBER] = { START, OTHER, NUMBER, FRACTION, OTHER },
	[FRACTION] = { START, OTHER, FRACTION, OTHER, OTHER },
	[OTHER] = { START, WORD, NUMBER, OTHER, OTHER },
};

static enum class class_of(u8 c)
{
	if (c == ' ' || c == '\n')
		return BLANK;
	if ((u8)((c | 32) - 'a') < 26)
		return LETTER;
	if ((u8)(c - '0') < 10)
		return DIGIT;
	return c == '.' ? POINT : SIGN;
}

u64 bench(void *buffer, u64 iterations)
{
	static const char letters[] = "ab cde.01 23f9+ ";
	u8 *text = buffer;
	u32 counts[STATES] = { 0 };
	for (u32 i = 0; i < TEXT; i++)
		text[i] = (u8)letters[text[i] & 15];
	for (u64 n = 0; n < iterations; n++) {
		u32 state = START;
		for (u32 i = 0; i < TEXT; i++) {
			u32 to = next[state][class_of(text[i])];
			counts[to] += to != state;
			state = to;
		}
	}
	u64 sum = 0;
	for (u32 i = 0; i < STATES; i++)
		sum = mix(sum, counts[i]);
	return sum;
}
