/* A lexer and a parser by precedence, from text to a stack machine's code, which is run. */
#include "bench.h"

enum token { END, NUMBER, NAME, PLUS, MINUS, TIMES, OVER, MODULO, LESS, EQUAL, AND, OR, OPEN, CLOSE, NEGATE };

static const char *const sources[] = {
	"(alpha + 3) * -beta + 17 % (gamma + 1) - 0x1f", "alpha * alpha + beta * beta < gamma * gamma || alpha == 12",
	"((((alpha))) + ((beta) - (gamma * 2)) / 7) % 1000 & 255", "1 + 2 * 3 - 4 / 2 + 5 % 3 + alpha * (beta + gamma * (2 - alpha))",
};

struct lexer {
	const char *at;
	enum token token;
	i64 value;
	i64 *out;
	u32 count;
};

static noinline void advance(struct lexer *lexer)
{
	while (*lexer->at == ' ')
		lexer->at++;
	char c = *lexer->at;
	if ((u8)(c - '0') < 10) {
		i64 number = 0;
		if (c == '0' && lexer->at[1] == 'x') {
			for (lexer->at += 2;; lexer->at++) {
				char digit = *lexer->at;
				if ((u8)(digit - '0') < 10)
					number = number * 16 + digit - '0';
				else if ((u8)(digit - 'a') < 6)
					number = number * 16 + digit - 'a' + 10;
				else
					break;
			}
		} else {
			for (; (u8)(*lexer->at - '0') < 10; lexer->at++)
				number = number * 10 + *lexer->at - '0';
		}
		lexer->value = number;
		lexer->token = NUMBER;
		return;
	}
	if ((u8)(c - 'a') < 26) {
		u32 hash = 0;
		for (; (u8)(*lexer->at - 'a') < 26; lexer->at++)
			hash = hash * 31 + (u32)*lexer->at;
		lexer->value = hash & 7;
		lexer->token = NAME;
		return;
	}
	lexer->at += c != 0;
	switch (c) {
	case 0: lexer->token = END; break;
	case '+': lexer->token = PLUS; break;
	case '-': lexer->token = MINUS; break;
	case '*': lexer->token = TIMES; break;
	case '/': lexer->token = OVER; break;
	case '%': lexer->token = MODULO; break;
	case '<': lexer->token = LESS; break;
	case '=': lexer->token = EQUAL; lexer->at += *lexer->at == '='; break;
	case '&': lexer->token = AND; break;
	case '|': lexer->token = OR; lexer->at += *lexer->at == '|'; break;
	case '(': lexer->token = OPEN; break;
	default: lexer->token = CLOSE; break;
	}
}

static u32 precedence(enum token token)
{
	switch (token) {
	case OR: return 1;
	case AND: return 2;
	case EQUAL: return 3;
	case LESS: return 4;
	case PLUS: case MINUS: return 5;
	case TIMES: case OVER: case MODULO: return 6;
	default: return 0;
	}
}

static void emit(struct lexer *lexer, enum token token, i64 value)
{
	lexer->out[lexer->count++] = value << 8 | token;
}

static noinline void expression(struct lexer *lexer, u32 least)
{
	enum token token = lexer->token;
	i64 value = lexer->value;
	advance(lexer);
	if (token == MINUS) {
		expression(lexer, 7);
		emit(lexer, NEGATE, 0);
	} else if (token == OPEN) {
		expression(lexer, 1);
		advance(lexer);
	} else {
		emit(lexer, token, value);
	}
	for (u32 level; (level = precedence(lexer->token)) >= least && level;) {
		token = lexer->token;
		advance(lexer);
		expression(lexer, level + 1);
		emit(lexer, token, 0);
	}
}

static noinline i64 run(const i64 *code, u32 count, const i64 *names, i64 *stack)
{
	for (u32 i = 0; i < count; i++) {
		i64 value = code[i] >> 8, right = stack[0];
		switch ((enum token)(code[i] & 255)) {
		case NUMBER: *++stack = value; break;
		case NAME: *++stack = names[value]; break;
		case PLUS: *--stack += right; break;
		case MINUS: *--stack -= right; break;
		case TIMES: *--stack *= right; break;
		case OVER: stack--; *stack = right ? (i64)((u64)*stack / (u64)right) : 0; break;
		case MODULO: stack--; *stack = right ? (i64)((u64)*stack % (u64)right) : 0; break;
		case LESS: stack--; *stack = *stack < right; break;
		case EQUAL: stack--; *stack = *stack == right; break;
		case AND: *--stack &= right; break;
		case OR: *--stack |= right; break;
		case NEGATE: *stack = -right; break;
		default: break;
		}
	}
	return *stack;
}

u64 bench(void *buffer, u64 iterations)
{
	i64 *names = buffer, *stack = names + 8, *code = stack + 32;
	u64 sum = 0;
	for (u32 i = 0; i < 32; i++)
		stack[i] = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < 8; i++)
			names[i] = (i64)(n * (i + 1) % 100);
		for (u32 i = 0; i < sizeof sources / sizeof *sources; i++) {
			struct lexer lexer = { .at = sources[i], .out = code };
			advance(&lexer);
			expression(&lexer, 1);
			sum = mix(sum, (u64)run(code, lexer.count, names, stack));
		}
	}
	return sum;
}
