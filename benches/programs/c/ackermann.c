/* Ackermann's function: deep recursion, calls of two arguments. */
#include "bench.h"

static noinline u32 ackermann(u32 m, u32 n)
{
	if (m == 0)
		return n + 1;
	if (n == 0)
		return ackermann(m - 1, 1);
	return ackermann(m - 1, ackermann(m, n - 1));
}

u64 bench(void *buffer, u64 iterations)
{
	u64 sum = *(u8 *)buffer & 1;
	for (u64 n = 0; n < iterations; n++)
		sum = mix(sum, ackermann(2, 12 + (sum & 1)));
	return sum;
}
