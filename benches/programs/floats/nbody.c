/* Five bodies that attract each other, ten steps at a time. */
#include "float.h"

enum { BODIES = 5 };
struct body {
	double x, y, z, vx, vy, vz, mass;
};

static noinline void advance(struct body *bodies, double dt)
{
	for (u32 i = 0; i < BODIES; i++) {
		struct body *a = &bodies[i];
		for (u32 j = i + 1; j < BODIES; j++) {
			struct body *b = &bodies[j];
			double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
			double square = dx * dx + dy * dy + dz * dz + 0.01;
			double size = dt / (square * sqrt(square));
			a->vx -= dx * b->mass * size;
			a->vy -= dy * b->mass * size;
			a->vz -= dz * b->mass * size;
			b->vx += dx * a->mass * size;
			b->vy += dy * a->mass * size;
			b->vz += dz * a->mass * size;
		}
	}
	for (u32 i = 0; i < BODIES; i++) {
		bodies[i].x += dt * bodies[i].vx;
		bodies[i].y += dt * bodies[i].vy;
		bodies[i].z += dt * bodies[i].vz;
	}
}

u64 bench(void *buffer, u64 iterations)
{
	struct body *bodies = buffer;
	u32 state = seed(buffer);
	u64 sum = 0;
	fill((double *)bodies, BODIES * 7, &state);
	for (u64 n = 0; n < iterations; n++) {
		for (u32 step = 0; step < 10; step++)
			advance(bodies, 0.001);
		sum = mix_f64(sum, bodies[n % BODIES].x);
	}
	return sum;
}
