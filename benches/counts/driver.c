/* Runs a program of the suite: PROGRAM BYTES ITERATIONS. Prints its result. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t bench(void *buffer, uint64_t iterations);

/* As `fill` in suite.rs: words of little-endian bytes. */
static void fill(unsigned char *buffer, size_t length)
{
	uint64_t state = 0x2545f4914f6cdd1d;
	for (size_t at = 0; at < length; at++) {
		if (at % 8 == 0) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
		}
		buffer[at] = state >> at % 8 * 8;
	}
}

int main(int argc, char **argv)
{
	size_t length = strtoul(argv[1], NULL, 0);
	unsigned char *buffer = aligned_alloc(64, (length + 4095) & ~4095ul);
	fill(buffer, length);
	uint64_t result = bench(buffer, strtoull(argv[2], NULL, 0));
	printf("%016llx\n", (unsigned long long)result);
	return 0;
}
