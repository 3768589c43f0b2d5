/* Runs each function on inputs of special and of random numbers, translated and native, and says which differ first: one result
 * is the other, or both are a NaN, and errno is the same. */
#include "check.h"

#include <errno.h>
#include <stdio.h>

extern const struct row rows[];

static u64 state = 0x2545f4914f6cdd1dULL;

static u64 next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static double number(void)
{
	static const double special[] = {
		0.0, -0.0, 1.0, -1.0, 0.5, 1.5, -2.5, 3.0, 1e-310, -4.9e-324, 2.2250738585072014e-308, 1.7976931348623157e308,
		2147483647.0, 2147483648.0, -2147483649.0, 4294967295.0, 4294967296.0, 9223372036854775808.0, -1e19, 1e20, 3.5e38,
		1e-45, INFINITY, -INFINITY, NAN, -NAN,
	};
	switch (next() % 4) {
	case 0:
	case 1:
		return special[next() % (sizeof special / sizeof *special)];
	case 2:
		return (double)(i64)(next() % 2001 - 1000) / 8;
	default: {
		/* Any bits but those of a signalling NaN. */
		u64 bits = next();
		return f64_of((bits >> 52 & 0x7ff) == 0x7ff ? bits | 1ULL << 51 : bits);
	}
	}
}

static void fill(unsigned char *memory)
{
	for (int i = 0; i < 16; i++) {
		double x = number();
		float y = (float)number();
		memcpy(memory + 8 * i, &x, 8);
		memcpy(memory + 128 + 4 * i, &y, 4);
	}
	for (int i = 0; i < 8; i++) {
		u64 word = next() >> next() % 64;
		memcpy(memory + 192 + 8 * i, &word, 8);
	}
	memset(memory + INPUT, 0, OUTPUT);
}

static int differs(const unsigned char *one, const unsigned char *other)
{
	for (int at = 0; at < DOUBLES; at += 8) {
		double x, y;
		memcpy(&x, one + INPUT + at, 8);
		memcpy(&y, other + INPUT + at, 8);
		if (memcmp(&x, &y, 8) && !(x != x && y != y))
			return 1 + at;
	}
	for (int at = DOUBLES; at < OUTPUT; at += 4) {
		float x, y;
		memcpy(&x, one + INPUT + at, 4);
		memcpy(&y, other + INPUT + at, 4);
		if (memcmp(&x, &y, 4) && !(x != x && y != y))
			return 1 + at;
	}
	return memcmp(one, other, INPUT) ? INPUT : 0;
}

int main(void)
{
	int count = 0;
	for (const struct row *row = rows; row->name; row++, count++) {
		for (int run = 0; run < 40; run++) {
			unsigned char one[INPUT + OUTPUT], other[INPUT + OUTPUT];
			fill(one);
			memcpy(other, one, sizeof one);
			errno = 0;
			u64 x = row->translated(one);
			int error = errno;
			errno = 0;
			u64 y = row->native(other);
			int at = differs(one, other);
			if (x == y && !at && error == errno)
				continue;
			printf("%s differs: %llx, natively %llx, errno %d, natively %d, output %d\n", row->name,
			       (unsigned long long)x, (unsigned long long)y, error, errno, at - 1);
			for (int i = 0; i < INPUT + OUTPUT; i += 8) {
				u64 a, b;
				memcpy(&a, one + i, 8);
				memcpy(&b, other + i, 8);
				printf("%3d: %016llx %016llx\n", i, (unsigned long long)a, (unsigned long long)b);
			}
			return 1;
		}
	}
	printf("%d functions\n", count);
	return 0;
}
