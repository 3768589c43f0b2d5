/* A stack machine with calls and locals, dispatched by a switch; its program counts the steps of Collatz sequences. */
#include "bench.h"

enum op { PUSH, LOAD, STORE, ADD, SUB, MUL, SHR, AND, LT, EQ, NOT, JUMP, JUMP_IF, CALL, RET, DUP, DROP, SWAP, READ, WRITE, HALT };

struct code {
	u16 op;
	i16 operand;
};

static const struct code program[] = {
	/* 0: total = 0, n = 1; the loop goes back to where n is stored */
	{ PUSH, 0 }, { STORE, 0 }, { PUSH, 1 }, { STORE, 1 },
	/* 4: while n < 40 */
	{ LOAD, 1 }, { PUSH, 40 }, { LT, 0 }, { NOT, 0 }, { JUMP_IF, 21 },
	/* 9: total += steps(n); memory[n] = total; n++ */
	{ LOAD, 1 }, { CALL, 23 }, { LOAD, 0 }, { ADD, 0 }, { DUP, 0 }, { STORE, 0 }, { LOAD, 1 }, { WRITE, 0 },
	{ LOAD, 1 }, { PUSH, 1 }, { ADD, 0 }, { JUMP, 3 },
	/* 21 */
	{ LOAD, 0 }, { HALT, 0 },
	/* 23: steps(n): count = 0 */
	{ STORE, 0 }, { PUSH, 0 }, { STORE, 1 },
	/* 26: while n != 1 */
	{ LOAD, 0 }, { PUSH, 1 }, { EQ, 0 }, { JUMP_IF, 49 },
	/* 30 */
	{ LOAD, 1 }, { PUSH, 1 }, { ADD, 0 }, { STORE, 1 },
	/* 34: n & 1 ? 3 * n + 1 : n >> 1 */
	{ LOAD, 0 }, { PUSH, 1 }, { AND, 0 }, { JUMP_IF, 43 },
	{ LOAD, 0 }, { PUSH, 1 }, { SHR, 0 }, { STORE, 0 }, { JUMP, 26 },
	/* 43 */
	{ LOAD, 0 }, { PUSH, 3 }, { MUL, 0 }, { PUSH, 1 }, { ADD, 0 }, { JUMP, 51 },
	/* 49 */
	{ LOAD, 1 }, { RET, 0 },
	/* 51 */
	{ STORE, 0 }, { JUMP, 26 },
};

struct frame {
	const struct code *back;
	i64 locals[4];
};

static noinline i64 run(const struct code *code, struct frame *frame, i64 *stack, i64 *memory)
{
	const struct code *at = code;
	for (;;) {
		i64 operand = at->operand;
		switch ((enum op)(at++)->op) {
		case PUSH: *++stack = operand; break;
		case LOAD: *++stack = frame->locals[operand & 3]; break;
		case STORE: frame->locals[operand & 3] = *stack--; break;
		case ADD: stack--; *stack += stack[1]; break;
		case SUB: stack--; *stack -= stack[1]; break;
		case MUL: stack--; *stack *= stack[1]; break;
		case SHR: stack--; *stack >>= stack[1] & 63; break;
		case AND: stack--; *stack &= stack[1]; break;
		case LT: stack--; *stack = *stack < stack[1]; break;
		case EQ: stack--; *stack = *stack == stack[1]; break;
		case NOT: *stack = !*stack; break;
		case JUMP: at = code + operand; break;
		case JUMP_IF:
			if (*stack--)
				at = code + operand;
			break;
		case CALL:
			(++frame)->back = at;
			at = code + operand;
			break;
		case RET: at = (frame--)->back; break;
		case DUP: stack++; *stack = stack[-1]; break;
		case DROP: stack--; break;
		case SWAP: {
			i64 top = *stack;
			*stack = stack[-1];
			stack[-1] = top;
			break;
		}
		case READ: *stack = memory[*stack & 63]; break;
		case WRITE: memory[*stack & 63] = stack[-1]; stack -= 2; break;
		case HALT: return *stack;
		}
	}
}

u64 bench(void *buffer, u64 iterations)
{
	struct code *code = buffer;
	i64 *memory = (i64 *)((u8 *)buffer + 512), *stack = memory + 64;
	struct frame *frames = (struct frame *)(stack + 64);
	u64 sum = 0;
	for (u32 i = 0; i < sizeof program / sizeof *program; i++)
		code[i] = program[i];
	for (u64 n = 0; n < iterations; n++) {
		code[5].operand = (i16)(32 + n % 8);
		sum = mix(sum, (u64)run(code, frames, stack, memory));
	}
	return sum;
}
