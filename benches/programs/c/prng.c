/* Three generators of random numbers: xoshiro256**, PCG with a rotation by a variable amount, SplitMix. */
#include "bench.h"

u64 bench(void *buffer, u64 iterations)
{
	u64 *s = buffer, pcg = s[4], split = s[5], sum = 0;
	u64 a = s[0], b = s[1], c = s[2], d = s[3] | 1;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < 256; i++) {
			sum += rol64(b * 5, 7) * 9;
			u64 t = b << 17;
			c ^= a;
			d ^= b;
			b ^= c;
			a ^= d;
			c ^= t;
			d = rol64(d, 45);
			u64 old = pcg;
			pcg = old * 6364136223846793005ULL + 1442695040888963407ULL;
			sum ^= rol32((u32)((old >> 18 ^ old) >> 27), -(u32)(old >> 59));
			u64 z = split += 0x9e3779b97f4a7c15ULL;
			z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
			z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
			sum += z ^ z >> 31;
		}
	}
	return sum;
}
