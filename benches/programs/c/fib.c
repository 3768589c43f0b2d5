/* Fibonacci numbers by recursion: calls and nothing else. */
#include "bench.h"

static noinline u64 fib(u64 n)
{
	if (n < 2)
		return n;
	return fib(n - 1) + fib(n - 2);
}

u64 bench(void *buffer, u64 iterations)
{
	u64 sum = *(u8 *)buffer & 1;
	for (u64 n = 0; n < iterations; n++)
		sum = mix(sum, fib(15 + (sum & 1)));
	return sum;
}
