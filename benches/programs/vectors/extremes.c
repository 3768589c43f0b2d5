/* The least and the greatest of 500 numbers, and where the greatest is. */
#include "bench.h"

static noinline i32 greatest(const i32 *from, u32 count)
{
	i32 most = from[0];
	for (u32 i = 1; i < count; i++)
		most = from[i] > most ? from[i] : most;
	return most;
}

static noinline u32 least(const u8 *from, u32 count)
{
	u8 least = 255;
	for (u32 i = 0; i < count; i++)
		least = from[i] < least ? from[i] : least;
	return least;
}

static noinline u32 place(const u8 *from, u32 count)
{
	u8 most = from[0];
	u32 at = 0;
	for (u32 i = 1; i < count; i++)
		if (from[i] > most) {
			most = from[i];
			at = i;
		}
	return at;
}

u64 bench(void *buffer, u64 iterations)
{
	i32 *numbers = buffer;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		sum = mix(sum, (u32)greatest(numbers, 500 - (n & 15)));
		sum = mix(sum, least(buffer, 2000 - (n & 15)));
		sum = mix(sum, place(buffer, 500 - (n & 15)));
		numbers[n % 500] ^= (i32)sum;
	}
	return sum;
}
