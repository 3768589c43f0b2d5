/* The distances between each two of 32 points, and for each point the nearest other one. */
#include "float.h"

enum { POINTS = 32 };
struct point {
	double x, y, z;
};

static noinline void measure(const struct point *points, double *distances)
{
	for (u32 i = 0; i < POINTS; i++)
		for (u32 j = 0; j < POINTS; j++) {
			double dx = points[i].x - points[j].x, dy = points[i].y - points[j].y, dz = points[i].z - points[j].z;
			distances[i * POINTS + j] = sqrt(dx * dx + dy * dy + dz * dz);
		}
}

static noinline u32 nearest(const double *distances, u32 of)
{
	u32 found = of;
	double least = 1e30;
	for (u32 i = 0; i < POINTS; i++)
		if (i != of && distances[i] < least) {
			least = distances[i];
			found = i;
		}
	return found;
}

u64 bench(void *buffer, u64 iterations)
{
	struct point *points = buffer;
	double *distances = (double *)(points + POINTS);
	u32 state = seed(buffer);
	u64 sum = 0;
	fill(&points->x, 3 * POINTS, &state);
	for (u64 n = 0; n < iterations; n++) {
		measure(points, distances);
		for (u32 i = 0; i < POINTS; i++)
			sum = mix(sum, nearest(&distances[i * POINTS], i));
		points[n % POINTS].x = distances[n * 31 % (POINTS * POINTS)] * 0.7;
	}
	return sum;
}
