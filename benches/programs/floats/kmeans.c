/* 128 points of 4 coordinates in 6 clusters: the nearest centre of each, and new centres. */
#include "float.h"

enum { POINTS = 128, DIMENSIONS = 4, CLUSTERS = 6 };

static noinline u32 nearest(const float *point, const float *centres)
{
	u32 best = 0;
	float least = 1e30f;
	for (u32 c = 0; c < CLUSTERS; c++) {
		float sum = 0.0f;
		for (u32 d = 0; d < DIMENSIONS; d++) {
			float difference = point[d] - centres[c * DIMENSIONS + d];
			sum += difference * difference;
		}
		if (sum < least) {
			least = sum;
			best = c;
		}
	}
	return best;
}

u64 bench(void *buffer, u64 iterations)
{
	float *points = buffer, *centres = points + POINTS * DIMENSIONS, *sums = centres + CLUSTERS * DIMENSIONS;
	u32 *counts = (u32 *)(sums + CLUSTERS * DIMENSIONS), state = seed(buffer);
	u64 sum = 0;
	fill_f32(points, (POINTS + CLUSTERS) * DIMENSIONS, &state);
	for (u64 n = 0; n < iterations; n++) {
		for (u32 c = 0; c < CLUSTERS * DIMENSIONS; c++)
			sums[c] = 0.0f;
		for (u32 c = 0; c < CLUSTERS; c++)
			counts[c] = 0;
		for (u32 p = 0; p < POINTS; p++) {
			u32 c = nearest(&points[p * DIMENSIONS], centres);
			counts[c]++;
			for (u32 d = 0; d < DIMENSIONS; d++)
				sums[c * DIMENSIONS + d] += points[p * DIMENSIONS + d];
		}
		for (u32 c = 0; c < CLUSTERS; c++)
			for (u32 d = 0; d < DIMENSIONS; d++)
				if (counts[c])
					centres[c * DIMENSIONS + d] = sums[c * DIMENSIONS + d] / (float)counts[c];
		points[n % POINTS] = 1.0f - points[n % POINTS];
		sum = mix_f32(sum, centres[n % (CLUSTERS * DIMENSIONS)]);
	}
	return sum;
}
