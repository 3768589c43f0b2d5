/* Calls of the C library: copies, fills and comparisons of small and middling sizes, known and not. */
#include "bench.h"

typedef __SIZE_TYPE__ size;

void *memcpy(void *to, const void *from, size length);
void *memmove(void *to, const void *from, size length);
void *memset(void *to, int byte, size length);
int memcmp(const void *a, const void *b, size length);
size strlen(const char *s);

u64 bench(void *buffer, u64 iterations)
{
	u8 *a = buffer, *b = a + 4096;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < 64; i++) {
			u32 length = a[i] & 63;
			memcpy(b + 64 * i, a + i, length);
			memset(b + 64 * i + length, (int)n, 64 - length);
			sum += memcmp(a + i, b + 64 * i, 48) != 0;
			memcpy(b + 32 * i, a + 64, 16);
		}
		memmove(b + 8, b, 1024);
		b[100 + n % 1000] = 0;
		sum = mix(sum, strlen((const char *)b) + b[n % 1024]);
	}
	return sum;
}
