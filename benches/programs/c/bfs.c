/* The distances from one corner of a labyrinth of 64 by 64, breadth first; each labyrinth is another one. */
#include "bench.h"

enum { SIDE = 64, CELLS = SIDE * SIDE };

struct maze {
	u8 random[CELLS];
	u16 distance[CELLS], queue[CELLS];
};

static const i8 steps[4][2] = { { 1, 0 }, { 0, 1 }, { -1, 0 }, { 0, -1 } };

static inline int is_wall(const struct maze *maze, u32 cell, u32 number)
{
	return (maze->random[(cell + number * 67) % CELLS] & 7) < 2;
}

static u64 explore(struct maze *maze, u32 number)
{
	u32 head = 0, tail = 1;
	u64 sum = 0;
	for (u32 i = 0; i < CELLS; i++)
		maze->distance[i] = 0xffff;
	maze->queue[0] = 0;
	maze->distance[0] = 0;
	while (head < tail) {
		u32 cell = maze->queue[head++];
		i32 x = (i32)(cell % SIDE), y = (i32)(cell / SIDE);
		sum += maze->distance[cell];
		for (u32 k = 0; k < 4; k++) {
			i32 nx = x + steps[k][0], ny = y + steps[k][1];
			if (nx < 0 || ny < 0 || nx >= SIDE || ny >= SIDE)
				continue;
			u32 next = (u32)(ny * SIDE + nx);
			if (maze->distance[next] != 0xffff || is_wall(maze, next, number))
				continue;
			maze->distance[next] = (u16)(maze->distance[cell] + 1);
			maze->queue[tail++] = (u16)next;
		}
	}
	return sum + tail;
}

u64 bench(void *buffer, u64 iterations)
{
	struct maze *maze = buffer;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++)
		sum = mix(sum, explore(maze, (u32)n));
	return sum;
}
