/* The Fourier transform of 128 complex numbers, in place, with a table of roots of unity. */
#include "float.h"

enum { COUNT = 128 };
struct complex {
	double re, im;
};

static noinline void transform(struct complex *data, const struct complex *roots)
{
	for (u32 i = 1, j = 0; i < COUNT; i++) {
		u32 bit = COUNT / 2;
		for (; j & bit; bit >>= 1)
			j ^= bit;
		j ^= bit;
		if (i < j) {
			struct complex swapped = data[i];
			data[i] = data[j];
			data[j] = swapped;
		}
	}
	for (u32 length = 2; length <= COUNT; length <<= 1) {
		u32 half = length / 2, stride = COUNT / length;
		for (u32 start = 0; start < COUNT; start += length)
			for (u32 k = 0; k < half; k++) {
				struct complex *a = &data[start + k], *b = a + half, root = roots[k * stride];
				double re = b->re * root.re - b->im * root.im, im = b->re * root.im + b->im * root.re;
				b->re = a->re - re;
				b->im = a->im - im;
				a->re += re;
				a->im += im;
			}
	}
}

u64 bench(void *buffer, u64 iterations)
{
	struct complex *data = buffer, *roots = data + COUNT;
	u32 state = seed(buffer);
	u64 sum = 0;
	/* The roots by one turn after the other: cos and sin of 2 pi / 128. */
	double re = 1.0, im = 0.0;
	for (u32 i = 0; i < COUNT / 2; i++) {
		roots[i].re = re;
		roots[i].im = -im;
		double next = re * 0.9987954562051724 - im * 0.049067674327418015;
		im = re * 0.049067674327418015 + im * 0.9987954562051724;
		re = next;
	}
	fill(&data->re, 2 * COUNT, &state);
	for (u64 n = 0; n < iterations; n++) {
		transform(data, roots);
		for (u32 i = 0; i < COUNT; i++) {
			data[i].re *= 0.0884;
			data[i].im *= 0.0884;
		}
		sum = mix_f64(sum, data[n % COUNT].re);
	}
	return sum;
}
