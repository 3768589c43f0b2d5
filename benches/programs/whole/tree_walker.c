/* An interpreter that walks a syntax tree: expressions with variables, conditions, loops, and calls by recursion. */
#include "bench.h"

enum kind { NUMBER, VARIABLE, ADD, SUBTRACT, MULTIPLY, LESS, AND, ASSIGN, IF, WHILE, SEQUENCE };

struct node {
	u32 kind;
	i32 value;
	struct node *a, *b, *c;
};

struct arena {
	struct node *next;
};

static struct node *make(struct arena *arena, u32 kind, i32 value, struct node *a, struct node *b, struct node *c)
{
	struct node *node = arena->next++;
	node->kind = kind;
	node->value = value;
	node->a = a;
	node->b = b;
	node->c = c;
	return node;
}

static noinline u64 evaluate(const struct node *node, u64 *variables)
{
	switch ((enum kind)node->kind) {
	case NUMBER:
		return (u64)(i64)node->value;
	case VARIABLE:
		return variables[node->value];
	case ADD:
		return evaluate(node->a, variables) + evaluate(node->b, variables);
	case SUBTRACT:
		return evaluate(node->a, variables) - evaluate(node->b, variables);
	case MULTIPLY:
		return evaluate(node->a, variables) * evaluate(node->b, variables);
	case LESS:
		return (i64)evaluate(node->a, variables) < (i64)evaluate(node->b, variables);
	case AND:
		return evaluate(node->a, variables) && evaluate(node->b, variables);
	case ASSIGN:
		return variables[node->value] = evaluate(node->a, variables);
	case IF:
		return evaluate(evaluate(node->a, variables) ? node->b : node->c, variables);
	case WHILE: {
		u64 last = 0;
		while (evaluate(node->a, variables))
			last = evaluate(node->b, variables);
		return last;
	}
	case SEQUENCE:
		evaluate(node->a, variables);
		return evaluate(node->b, variables);
	}
	return 0;
}

/* Of x below the limit: s = s * 3 + (x < 20 && s < 1000000 ? x * x : x - s). */
static noinline struct node *build(struct arena *arena, i32 limit)
{
	struct node *zero = make(arena, NUMBER, 0, 0, 0, 0), *one = make(arena, NUMBER, 1, 0, 0, 0);
	struct node *x = make(arena, VARIABLE, 0, 0, 0, 0), *s = make(arena, VARIABLE, 1, 0, 0, 0);
	struct node *small = make(arena, LESS, 0, x, make(arena, NUMBER, 20, 0, 0, 0), 0);
	struct node *below = make(arena, LESS, 0, s, make(arena, NUMBER, 1000000, 0, 0, 0), 0);
	struct node *both = make(arena, AND, 0, small, below, 0);
	struct node *square = make(arena, MULTIPLY, 0, x, x, 0);
	struct node *choice = make(arena, IF, 0, both, square, make(arena, SUBTRACT, 0, x, s, 0));
	struct node *tripled = make(arena, MULTIPLY, 0, s, make(arena, NUMBER, 3, 0, 0, 0), 0);
	struct node *step = make(arena, ASSIGN, 1, make(arena, ADD, 0, tripled, choice, 0), 0, 0);
	struct node *next = make(arena, ASSIGN, 0, make(arena, ADD, 0, x, one, 0), 0, 0);
	struct node *test = make(arena, LESS, 0, x, make(arena, NUMBER, limit, 0, 0, 0), 0);
	struct node *loop = make(arena, WHILE, 0, test, make(arena, SEQUENCE, 0, step, next, 0), 0);
	struct node *first = make(arena, ASSIGN, 0, zero, 0, 0);
	struct node *start = make(arena, SEQUENCE, 0, first, make(arena, ASSIGN, 1, one, 0, 0), 0);
	return make(arena, SEQUENCE, 0, start, make(arena, SEQUENCE, 0, loop, s, 0), 0);
}

u64 bench(void *buffer, u64 iterations)
{
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		u64 *variables = buffer;
		struct arena arena = { (struct node *)(variables + 8) };
		sum = mix(sum, evaluate(build(&arena, 40 + (i32)(n % 16)), variables));
	}
	return sum;
}
