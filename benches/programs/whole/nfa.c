/* A regular expression as a nondeterministic automaton: sets of states step over the text together (Thompson). */
#include "bench.h"

enum kind { BYTE, ANY, SPLIT, JUMP, MATCH };
enum { STATES = 32, TEXT = 256 };

struct state {
	u8 kind, byte;
	u8 out, other;
};

/* (a|b)*c(d.|e+)f */
static const struct state program[] = {
	{ SPLIT, 0, 1, 6 }, { SPLIT, 0, 2, 4 }, { BYTE, 'a', 3, 0 }, { JUMP, 0, 0, 0 }, { BYTE, 'b', 5, 0 }, { JUMP, 0, 0, 0 },
	{ BYTE, 'c', 7, 0 }, { SPLIT, 0, 8, 11 }, { BYTE, 'd', 9, 0 }, { ANY, 0, 10, 0 }, { JUMP, 0, 13, 0 },
	{ BYTE, 'e', 12, 0 }, { SPLIT, 0, 11, 13 }, { BYTE, 'f', 14, 0 }, { MATCH, 0, 0, 0 },
};

struct list {
	u32 count;
	u8 states[STATES];
};

struct machine {
	struct list lists[2];
	u32 marks[STATES], mark;
};

static noinline void add(struct machine *machine, struct list *list, const struct state *states, u32 state)
{
	if (machine->marks[state] == machine->mark)
		return;
	machine->marks[state] = machine->mark;
	if (states[state].kind == JUMP) {
		add(machine, list, states, states[state].out);
	} else if (states[state].kind == SPLIT) {
		add(machine, list, states, states[state].out);
		add(machine, list, states, states[state].other);
	} else {
		list->states[list->count++] = (u8)state;
	}
}

static noinline u32 search(struct machine *machine, const struct state *states, const u8 *text, u32 length)
{
	struct list *now = &machine->lists[0], *next = &machine->lists[1];
	u32 matches = 0;
	now->count = 0;
	machine->mark++;
	for (u32 at = 0; at < length; at++) {
		add(machine, now, states, 0);
		machine->mark++;
		next->count = 0;
		for (u32 i = 0; i < now->count; i++) {
			const struct state *state = &states[now->states[i]];
			switch ((enum kind)state->kind) {
			case BYTE:
				if (state->byte == text[at])
					add(machine, next, states, state->out);
				break;
			case ANY:
				add(machine, next, states, state->out);
				break;
			case MATCH:
				matches += at;
				break;
			default:
				break;
			}
		}
		struct list *old = now;
		now = next;
		next = old;
	}
	return matches;
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *text = buffer;
	struct machine *machine = (struct machine *)(text + TEXT);
	struct state *states = (struct state *)(machine + 1);
	u64 sum = 0;
	for (u32 i = 0; i < TEXT; i++)
		text[i] = "abcdefef"[text[i] & 7];
	for (u32 i = 0; i < STATES; i++)
		machine->marks[i] = 0;
	for (u32 i = 0; i < sizeof program / sizeof *program; i++)
		states[i] = program[i];
	machine->mark = 0;
	for (u64 n = 0; n < iterations; n++) {
		text[n % TEXT] = "cdef"[n & 3];
		sum = mix(sum, search(machine, states, text, TEXT));
	}
	return sum;
}
