/* Numbers of up to 512 bits in words of 32: products, quotients (Knuth's algorithm D), and decimal digits. */
#include "bench.h"

enum { WORDS = 16 };

struct number {
	u32 length, words[2 * WORDS + 2];
};

static void trim(struct number *number)
{
	while (number->length && !number->words[number->length - 1])
		number->length--;
}

static noinline void multiply(struct number *product, const struct number *a, const struct number *b)
{
	product->length = a->length + b->length;
	for (u32 i = 0; i < product->length; i++)
		product->words[i] = 0;
	for (u32 i = 0; i < a->length; i++) {
		u64 carry = 0;
		for (u32 k = 0; k < b->length; k++) {
			carry += (u64)a->words[i] * b->words[k] + product->words[i + k];
			product->words[i + k] = (u32)carry;
			carry >>= 32;
		}
		product->words[i + b->length] = (u32)carry;
	}
	trim(product);
}

/* Divides by one word in place; the remainder is returned. */
static noinline u32 divide_small(struct number *number, u32 by)
{
	u64 remainder = 0;
	for (u32 i = number->length; i-- > 0;) {
		remainder = remainder << 32 | number->words[i];
		number->words[i] = (u32)(remainder / by);
		remainder %= by;
	}
	trim(number);
	return (u32)remainder;
}

/* The quotient; `number` becomes the remainder. The divisor's highest bit is set. */
static noinline void divide(struct number *quotient, struct number *number, const struct number *by)
{
	u32 n = by->length, high = by->words[n - 1], next = by->words[n - 2];
	number->words[number->length++] = 0;
	quotient->length = number->length - n;
	for (u32 j = quotient->length; j-- > 0;) {
		u64 top = (u64)number->words[j + n] << 32 | number->words[j + n - 1];
		u64 guess = top / high, rest = top % high;
		while (guess >> 32 || guess * next > (rest << 32 | number->words[j + n - 2])) {
			guess--;
			rest += high;
			if (rest >> 32)
				break;
		}
		i64 borrow = 0;
		for (u32 i = 0; i < n; i++) {
			u64 product = guess * by->words[i];
			borrow += (i64)number->words[i + j] - (i64)(u32)product;
			number->words[i + j] = (u32)borrow;
			borrow = (borrow >> 32) - (i64)(product >> 32);
		}
		borrow += number->words[j + n];
		number->words[j + n] = (u32)borrow;
		if (borrow < 0) {
			u64 carry = 0;
			guess--;
			for (u32 i = 0; i < n; i++) {
				carry += (u64)number->words[i + j] + by->words[i];
				number->words[i + j] = (u32)carry;
				carry >>= 32;
			}
			number->words[j + n] += (u32)carry;
		}
		quotient->words[j] = (u32)guess;
	}
	trim(quotient);
	trim(number);
}

u64 bench(void *buffer, u64 iterations)
{
	struct number *a = buffer, *b = a + 1, *product = b + 1, *quotient = product + 1;
	u32 state = 7;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		a->length = WORDS;
		b->length = WORDS / 2;
		for (u32 i = 0; i < WORDS; i++)
			a->words[i] = b->words[i] = next_random(&state);
		b->words[b->length - 1] |= 1u << 31;
		multiply(product, a, b);
		product->words[n % 8] ^= 12345;
		divide(quotient, product, b);
		sum = mix(sum, quotient->words[0] + (u64)product->words[0]);
		while (quotient->length)
			sum = sum * 3 + divide_small(quotient, 1000000000);
	}
	return sum;
}
