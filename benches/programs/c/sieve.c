/* The sieve of Eratosthenes up to 8,192, a byte for each number. */
#include "bench.h"

enum { LIMIT = 8192 };

u64 bench(void *buffer, u64 iterations)
{
	u8 *composite = buffer;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < LIMIT; i++)
			composite[i] = 0;
		for (u32 i = 2; i * i < LIMIT; i++)
			if (!composite[i])
				for (u32 j = i * i; j < LIMIT; j += i)
					composite[j] = 1;
		for (u32 i = 2; i < LIMIT; i++)
			sum += composite[i] ? 0 : i;
	}
	return sum;
}
