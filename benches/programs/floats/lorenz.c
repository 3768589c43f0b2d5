/* The Lorenz attractor by the method of Runge and Kutta, 64 steps at a time. */
#include "float.h"

struct state {
	double x, y, z;
};

static inline struct state slope(struct state s)
{
	return (struct state){10.0 * (s.y - s.x), s.x * (28.0 - s.z) - s.y, s.x * s.y - s.z * (8.0 / 3.0)};
}

static inline struct state along(struct state s, struct state by, double time)
{
	return (struct state){s.x + by.x * time, s.y + by.y * time, s.z + by.z * time};
}

u64 bench(void *buffer, u64 iterations)
{
	u32 state = seed(buffer);
	struct state s = {unit(&state), unit(&state), unit(&state)};
	const double step = 0.005;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < 64; i++) {
			struct state a = slope(s), b = slope(along(s, a, step / 2)), c = slope(along(s, b, step / 2)),
				     d = slope(along(s, c, step));
			s.x += (a.x + 2.0 * b.x + 2.0 * c.x + d.x) * (step / 6);
			s.y += (a.y + 2.0 * b.y + 2.0 * c.y + d.y) * (step / 6);
			s.z += (a.z + 2.0 * b.z + 2.0 * c.z + d.z) * (step / 6);
		}
		sum = mix_f64(sum, s.x);
	}
	return sum;
}
