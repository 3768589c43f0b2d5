/* Two dense layers of a neural network, 32 to 24 to 8 numbers, with rectifiers and a soft sign. */
#include "float.h"

enum { INPUTS = 32, HIDDEN = 24, OUTPUTS = 8 };

static noinline void dense(const float *weights, const float *in, float *out, u32 inputs, u32 outputs)
{
	for (u32 o = 0; o < outputs; o++) {
		float sum = weights[inputs * outputs + o];
		for (u32 i = 0; i < inputs; i++)
			sum += weights[o * inputs + i] * in[i];
		out[o] = sum;
	}
}

u64 bench(void *buffer, u64 iterations)
{
	float *first = buffer, *second = first + (INPUTS + 1) * HIDDEN, *in = second + (HIDDEN + 1) * OUTPUTS,
	      *hidden = in + INPUTS, *out = hidden + HIDDEN;
	u32 state = seed(buffer);
	u64 sum = 0;
	fill_f32(first, (INPUTS + 1) * HIDDEN + (HIDDEN + 1) * OUTPUTS + INPUTS, &state);
	for (u32 i = 0; i < (INPUTS + 1) * HIDDEN + (HIDDEN + 1) * OUTPUTS; i++)
		first[i] -= 0.5f;
	for (u64 n = 0; n < iterations; n++) {
		dense(first, in, hidden, INPUTS, HIDDEN);
		for (u32 i = 0; i < HIDDEN; i++)
			hidden[i] = hidden[i] > 0.0f ? hidden[i] : 0.01f * hidden[i];
		dense(second, hidden, out, HIDDEN, OUTPUTS);
		for (u32 i = 0; i < OUTPUTS; i++) {
			float size = out[i] < 0.0f ? -out[i] : out[i];
			in[(n + i) % INPUTS] = out[i] / (1.0f + size);
		}
		sum = mix_f32(sum, out[n % OUTPUTS]);
	}
	return sum;
}
