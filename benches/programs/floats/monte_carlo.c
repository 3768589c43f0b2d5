/* How many of 256 random points lie in a circle, and the mean distance of those that do not. */
#include "float.h"

u64 bench(void *buffer, u64 iterations)
{
	u32 state = seed(buffer);
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		u32 inside = 0;
		double outside = 0.0;
		for (u32 i = 0; i < 256; i++) {
			double x = unit(&state), y = unit(&state), square = x * x + y * y;
			if (square <= 1.0)
				inside++;
			else
				outside += square - 1.0;
		}
		sum = mix_f64(sum + inside, outside);
	}
	return sum;
}
