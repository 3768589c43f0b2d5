/* Rays from a camera to eight balls: the nearest one that is hit, lit by one lamp; 24 by 16 points. */
#include "float.h"

enum { BALLS = 8 };
struct ball {
	double x, y, z, radius, shade;
};

static noinline double trace(const struct ball *balls, double dx, double dy, double dz)
{
	double nearest = 1e30, shade = 0.0;
	for (u32 i = 0; i < BALLS; i++) {
		const struct ball *ball = &balls[i];
		double along = ball->x * dx + ball->y * dy + ball->z * dz;
		double square = ball->x * ball->x + ball->y * ball->y + ball->z * ball->z - ball->radius * ball->radius;
		double under = along * along - square;
		if (under < 0.0)
			continue;
		double at = along - sqrt(under);
		if (at > 0.001 && at < nearest) {
			nearest = at;
			double nx = dx * at - ball->x, ny = dy * at - ball->y, nz = dz * at - ball->z;
			double light = (nx * 0.6 + ny * 0.64 - nz * 0.48) / ball->radius;
			shade = ball->shade * (light > 0.0 ? light : 0.0) + 0.1;
		}
	}
	return shade;
}

u64 bench(void *buffer, u64 iterations)
{
	struct ball *balls = buffer;
	u32 state = seed(buffer);
	u64 sum = 0;
	for (u32 i = 0; i < BALLS; i++) {
		balls[i].x = unit(&state) * 4.0 - 2.0;
		balls[i].y = unit(&state) * 3.0 - 1.5;
		balls[i].z = unit(&state) * 4.0 + 3.0;
		balls[i].radius = unit(&state) + 0.3;
		balls[i].shade = unit(&state);
	}
	for (u64 n = 0; n < iterations; n++) {
		double total = 0.0;
		for (i32 py = -8; py < 8; py++)
			for (i32 px = -12; px < 12; px++) {
				double dx = (double)px * 0.08, dy = (double)py * 0.08;
				double length = sqrt(dx * dx + dy * dy + 1.0);
				total += trace(balls, dx / length, dy / length, 1.0 / length);
			}
		balls[n % BALLS].x = total * 0.01 - balls[n % BALLS].x;
		sum = mix_f64(sum, total);
	}
	return sum;
}
