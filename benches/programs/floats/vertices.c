/* 64 points of four coordinates by a matrix, divided by the last one, and the box around them. */
#include "float.h"

enum { POINTS = 64 };

static noinline void transform(const float *matrix, const float *from, float *to)
{
	for (u32 p = 0; p < POINTS; p++) {
		const float *in = &from[p * 4];
		float *out = &to[p * 4];
		for (u32 row = 0; row < 4; row++) {
			float sum = 0.0f;
			for (u32 column = 0; column < 4; column++)
				sum += matrix[row * 4 + column] * in[column];
			out[row] = sum;
		}
		float w = out[3];
		out[0] /= w;
		out[1] /= w;
		out[2] /= w;
	}
}

static noinline float box(const float *points)
{
	float low[3] = {1e30f, 1e30f, 1e30f}, high[3] = {-1e30f, -1e30f, -1e30f};
	for (u32 p = 0; p < POINTS; p++)
		for (u32 axis = 0; axis < 3; axis++) {
			float at = points[p * 4 + axis];
			low[axis] = at < low[axis] ? at : low[axis];
			high[axis] = at > high[axis] ? at : high[axis];
		}
	return (high[0] - low[0]) * (high[1] - low[1]) * (high[2] - low[2]);
}

u64 bench(void *buffer, u64 iterations)
{
	float *matrix = buffer, *points = matrix + 16, *moved = points + POINTS * 4;
	u32 state = seed(buffer);
	u64 sum = 0;
	fill_f32(matrix, 16 + POINTS * 4, &state);
	for (u64 n = 0; n < iterations; n++) {
		transform(matrix, points, moved);
		sum = mix_f32(sum, box(moved));
		points[n % (POINTS * 4)] = 1.0f - points[n % (POINTS * 4)];
	}
	return sum;
}
