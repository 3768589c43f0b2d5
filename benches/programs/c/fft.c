/* A Fourier transform of 256 points modulo a prime (65537), there and back. */
#include "bench.h"

enum { POINTS = 256, PRIME = 65537 };

static u32 power(u32 base, u32 exponent)
{
	u64 result = 1, square = base;
	for (; exponent; exponent >>= 1) {
		if (exponent & 1)
			result = result * square % PRIME;
		square = square * square % PRIME;
	}
	return (u32)result;
}

static noinline void transform(u32 *x, const u32 *roots)
{
	for (u32 i = 1, j = 0; i < POINTS; i++) {
		u32 bit = POINTS >> 1;
		for (; j & bit; bit >>= 1)
			j ^= bit;
		j ^= bit;
		if (i < j) {
			u32 swapped = x[i];
			x[i] = x[j];
			x[j] = swapped;
		}
	}
	for (u32 half = 1; half < POINTS; half *= 2)
		for (u32 start = 0; start < POINTS; start += 2 * half)
			for (u32 k = 0; k < half; k++) {
				u32 a = x[start + k];
				u32 b = (u32)((u64)x[start + k + half] * roots[POINTS / 2 / half * k] % PRIME);
				u32 sum = a + b, difference = a - b + PRIME;
				x[start + k] = sum >= PRIME ? sum - PRIME : sum;
				x[start + k + half] = difference >= PRIME ? difference - PRIME : difference;
			}
}

u64 bench(void *buffer, u64 iterations)
{
	u32 *x = buffer, *forward = x + POINTS, *backward = forward + POINTS;
	u32 root = power(3, 65536 / POINTS);
	for (u32 i = 0; i < POINTS; i++) {
		x[i] %= PRIME;
		forward[i] = power(root, i);
		backward[i] = power(root, (POINTS - i) % POINTS);
	}
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		transform(x, forward);
		for (u32 i = 0; i < POINTS; i++)
			x[i] = (u32)((u64)x[i] * x[(i * 3 + 1) % POINTS] % PRIME);
		transform(x, backward);
		sum = mix(sum, x[n % POINTS]);
	}
	return sum;
}
