/* Shortest paths with a priority queue: a binary heap whose entries know their places, over lists of edges. */
#include "bench.h"

enum { NODES = 128, EDGES = 6 };

struct edge {
	u16 to, cost;
};

struct queue {
	u32 size, costs[NODES];
	u16 heap[NODES], places[NODES];
};

static noinline void up(struct queue *queue, u32 at)
{
	u32 node = queue->heap[at];
	while (at > 0) {
		u32 parent = (at - 1) / 2, other = queue->heap[parent];
		if (queue->costs[other] <= queue->costs[node])
			break;
		queue->heap[at] = (u16)other;
		queue->places[other] = (u16)at;
		at = parent;
	}
	queue->heap[at] = (u16)node;
	queue->places[node] = (u16)at;
}

static noinline u32 pop(struct queue *queue)
{
	u32 least = queue->heap[0], node = queue->heap[--queue->size], at = 0;
	for (;;) {
		u32 child = 2 * at + 1;
		if (child >= queue->size)
			break;
		if (child + 1 < queue->size && queue->costs[queue->heap[child + 1]] < queue->costs[queue->heap[child]])
			child++;
		u32 other = queue->heap[child];
		if (queue->costs[node] <= queue->costs[other])
			break;
		queue->heap[at] = (u16)other;
		queue->places[other] = (u16)at;
		at = child;
	}
	queue->heap[at] = (u16)node;
	queue->places[node] = (u16)at;
	return least;
}

static noinline void search(struct queue *queue, const struct edge (*edges)[EDGES], u32 start)
{
	for (u32 i = 0; i < NODES; i++) {
		queue->costs[i] = ~0u;
		queue->heap[i] = queue->places[i] = (u16)i;
	}
	queue->size = NODES;
	queue->costs[start] = 0;
	up(queue, queue->places[start]);
	while (queue->size) {
		u32 node = pop(queue), cost = queue->costs[node];
		if (cost == ~0u)
			return;
		for (u32 i = 0; i < EDGES; i++) {
			const struct edge *edge = &edges[node][i];
			if (cost + edge->cost < queue->costs[edge->to]) {
				queue->costs[edge->to] = cost + edge->cost;
				up(queue, queue->places[edge->to]);
			}
		}
	}
}

u64 bench(void *buffer, u64 iterations)
{
	struct edge (*edges)[EDGES] = buffer;
	struct queue *queue = (struct queue *)(edges + NODES);
	u64 sum = 0;
	for (u32 i = 0; i < NODES; i++)
		for (u32 k = 0; k < EDGES; k++) {
			edges[i][k].to %= NODES;
			edges[i][k].cost = (edges[i][k].cost & 0xff) + 1;
		}
	for (u64 n = 0; n < iterations; n++) {
		search(queue, edges, (u32)n % NODES);
		for (u32 i = 0; i < NODES; i++)
			sum += (u64)queue->costs[i] * i;
		sum = mix(sum, n);
	}
	return sum;
}
