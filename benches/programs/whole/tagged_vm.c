/* A register machine of tagged values, as of a scripting language: types are checked, tables are indexed; a sieve. */
#include "bench.h"

enum tag { NIL, BOOLEAN, INTEGER, TABLE };
enum op { MOVE, LOADI, LOADNIL, GETTABLE, SETTABLE, ADD, ADDI, MUL, LT, LE, EQ, TEST, JMP, FORLOOP, LEN, RETURN };

struct value {
	u64 payload;
	u32 tag;
};

struct table {
	u32 length, room;
	struct value values[];
};

/* Operation, A, B, C of 8 bits each; B and C together are a signed number. */
#define OP(op, a, b, c) ((u32)(op) | (u32)(a) << 8 | (u32)(b) << 16 | (u32)(c) << 24)
#define OPX(op, a, x) ((u32)(op) | (u32)(a) << 8 | (u32)(u16)(x) << 16)

static const u32 program[] = {
	/* R0: the table, R1: the limit; R2: a counter, R3: primes, R4: true, R8: 2 */
	OPX(LOADI, 2, 2), OPX(LOADI, 3, 0), OPX(LOADI, 4, 1), OPX(LOADI, 8, 2),
	/* 4: fill */ OP(SETTABLE, 0, 2, 4), OP(ADDI, 2, 2, 1), OP(LE, 0, 2, 1), OPX(JMP, 0, -4), OPX(LOADI, 2, 2),
	/* 9: loop */ OP(GETTABLE, 5, 0, 2), OP(TEST, 5, 0, 0), OPX(JMP, 0, 8), OP(ADDI, 3, 3, 1), OP(MUL, 6, 2, 2),
	/* 14 */ OP(LE, 1, 6, 1), OPX(JMP, 0, 4), OPX(LOADNIL, 7, 0), OP(SETTABLE, 0, 6, 7), OP(ADD, 6, 6, 2), OPX(JMP, 0, -6),
	/* 20 */ OP(ADDI, 2, 2, 1), OP(LE, 0, 2, 1), OPX(JMP, 0, -14), OP(LEN, 9, 0, 0), OP(ADD, 3, 3, 9), OP(RETURN, 3, 0, 0),
};

static noinline int set(struct table *table, u64 key, const struct value *value)
{
	if (key >= table->room)
		return 0;
	while (table->length <= key)
		table->values[table->length++].tag = NIL;
	table->values[key] = *value;
	return 1;
}

static noinline u64 run(const u32 *code, struct value *r)
{
	for (const u32 *pc = code;;) {
		u32 i = *pc++, b = i >> 16 & 255, c = i >> 24;
		struct value *a = &r[i >> 8 & 255];
		switch ((enum op)(i & 255)) {
		case MOVE: *a = r[b]; break;
		case LOADI: a->tag = INTEGER; a->payload = (u64)(i64)(i16)(i >> 16); break;
		case LOADNIL: a->tag = NIL; break;
		case GETTABLE: {
			if (r[b].tag != TABLE || r[c].tag != INTEGER)
				return 1;
			const struct table *table = (const struct table *)r[b].payload;
			if (r[c].payload < table->length)
				*a = table->values[r[c].payload];
			else
				a->tag = NIL;
			break;
		}
		case SETTABLE:
			if (a->tag != TABLE || r[b].tag != INTEGER)
				return 2;
			struct table *table = (struct table *)a->payload;
			if (r[b].payload < table->length)
				table->values[r[b].payload] = r[c];
			else if (!set(table, r[b].payload, &r[c]))
				return 3;
			break;
		case ADD:
			if (r[b].tag != INTEGER || r[c].tag != INTEGER)
				return 4;
			a->payload = r[b].payload + r[c].payload;
			a->tag = INTEGER;
			break;
		case ADDI:
			if (r[b].tag != INTEGER)
				return 5;
			a->payload = r[b].payload + (u64)(i64)(i8)c;
			a->tag = INTEGER;
			break;
		case MUL:
			if (r[b].tag != INTEGER || r[c].tag != INTEGER)
				return 6;
			a->payload = r[b].payload * r[c].payload;
			a->tag = INTEGER;
			break;
		case LT: pc += ((i64)r[b].payload < (i64)r[c].payload) == (i >> 8 & 1); break;
		case LE: pc += ((i64)r[b].payload <= (i64)r[c].payload) == (i >> 8 & 1); break;
		case EQ: pc += (r[b].tag == r[c].tag && r[b].payload == r[c].payload) == (i >> 8 & 1); break;
		case TEST: pc += a->tag != NIL && (a->tag != BOOLEAN || a->payload); break;
		case JMP: pc += (i16)(i >> 16); break;
		case FORLOOP:
			if (--a->payload)
				pc += (i16)(i >> 16);
			break;
		case LEN: a->payload = ((const struct table *)r[b].payload)->length; a->tag = INTEGER; break;
		case RETURN: return a->payload;
		}
	}
}

u64 bench(void *buffer, u64 iterations)
{
	u32 *code = buffer;
	struct value *r = (struct value *)(code + 64);
	struct table *table = (struct table *)(r + 16);
	u64 sum = 0;
	for (u32 i = 0; i < sizeof program / sizeof *program; i++)
		code[i] = program[i];
	for (u32 i = 0; i < 16; i++)
		r[i].tag = NIL, r[i].payload = 0;
	for (u64 n = 0; n < iterations; n++) {
		table->length = 0;
		table->room = 400;
		r[0].tag = TABLE;
		r[0].payload = (u64)table;
		r[1].tag = INTEGER;
		r[1].payload = 300 + n % 64;
		sum = mix(sum, run(code, r));
	}
	return sum;
}
