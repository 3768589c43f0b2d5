/* A byte-code interpreter: 16 registers, a switch over the operations; its program counts primes. */
#include "bench.h"

enum op { LI, MOV, ADD, SUB, MUL, REM, AND, XOR, SHL, SHR, LT, EQ, JMP, JZ, JNZ, LD, ST, HALT };

struct code {
	u8 op, a, b, c;
};

/* For each n from 2 to the limit in r1: divide by 2, 3, ... while the square is not greater. */
static const struct code program[] = {
	{ LI, 2, 0, 0 },  { LI, 3, 2, 0 },  { LI, 4, 1, 0 },  { LI, 9, 0, 0 },
	/* 4: outer */ { LT, 5, 3, 1 },  { JZ, 5, 20, 0 }, { LI, 6, 2, 0 },
	/* 7: inner */ { MUL, 7, 6, 6 }, { LT, 5, 3, 7 },  { JNZ, 5, 14, 0 },
	{ REM, 7, 3, 6 }, { JZ, 7, 17, 0 }, { ADD, 6, 6, 4 }, { JMP, 7, 0, 0 },
	/* 14: a prime */ { ADD, 2, 2, 4 }, { ST, 3, 2, 0 }, { XOR, 9, 9, 3 },
	/* 17: next */ { ADD, 3, 3, 4 }, { LD, 8, 2, 0 }, { JMP, 4, 0, 0 },
	/* 20 */ { ADD, 2, 2, 9 }, { HALT, 0, 0, 0 },
};

static noinline u64 run(const struct code *code, u64 *memory, u64 limit)
{
	u64 r[16] = { 0 };
	r[1] = limit;
	for (u32 pc = 0;;) {
		const struct code *at = &code[pc++];
		u32 a = at->a & 15, b = at->b & 15, c = at->c & 15;
		switch ((enum op)at->op) {
		case LI:
			r[a] = at->b;
			break;
		case MOV:
			r[a] = r[b];
			break;
		case ADD:
			r[a] = r[b] + r[c];
			break;
		case SUB:
			r[a] = r[b] - r[c];
			break;
		case MUL:
			r[a] = r[b] * r[c];
			break;
		case REM:
			r[a] = (u32)r[b] % (u32)r[c];
			break;
		case AND:
			r[a] = r[b] & r[c];
			break;
		case XOR:
			r[a] = r[b] ^ r[c];
			break;
		case SHL:
			r[a] = r[b] << (r[c] & 63);
			break;
		case SHR:
			r[a] = r[b] >> (r[c] & 63);
			break;
		case LT:
			r[a] = r[b] < r[c];
			break;
		case EQ:
			r[a] = r[b] == r[c];
			break;
		case JMP:
			pc = at->a;
			break;
		case JZ:
			if (r[a] == 0)
				pc = at->b;
			break;
		case JNZ:
			if (r[a] != 0)
				pc = at->b;
			break;
		case LD:
			r[a] = memory[r[b] & 255];
			break;
		case ST:
			memory[r[b] & 255] = r[a];
			break;
		case HALT:
			return r[2];
		}
	}
}

u64 bench(void *buffer, u64 iterations)
{
	struct code *code = buffer;
	u64 *memory = (u64 *)((u8 *)buffer + 512), sum = 0;
	for (u32 i = 0; i < sizeof program / sizeof *program; i++)
		code[i] = program[i];
	for (u64 n = 0; n < iterations; n++)
		sum = mix(sum, run(code, memory, 200 + n % 8));
	return sum;
}
