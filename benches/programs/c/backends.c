/* A load balancer's decisions: for each flow, a service by its port, and one of the backends that the service has, by a keyed hash. */
#include "bench.h"

#define FLOWS 64
#define SERVICES 32

struct flow {
	u32 source, destination;
	u16 source_port, port;
	u8 protocol, flags;
	u16 chosen;
	u32 mark;
	u32 key;
};

struct service {
	u16 backends;
	u8 weight, kind;
	u32 seed;
};

static u32 choose(struct flow *flow, const struct service *service, u32 number)
{
	u32 address = flow->flags & 4 ? 0 : flow->destination;
	u32 hash = flow->key ^ flow->source ^ address;

	if (service->backends == 0)
		return 0;
	if (flow->flags & 1)
		hash += flow->port;
	else
		hash ^= (u32)flow->source_port << 16;
	u32 by = (flow->protocol & 7) + 1;
	hash ^= (hash + service->seed) << by | (hash + service->seed) >> (32 - by);
	u32 backend = hash % service->backends;
	if (service->weight > 200 || (flow->flags & 0x18) == 0x10)
		backend = hash / service->backends % (number + 1);
	return backend + 1;
}

u64 bench(void *buffer, u64 iterations)
{
	struct flow *flows = buffer;
	struct service *services = (struct service *)(flows + FLOWS);
	u64 sum = 0;

	for (u32 i = 0; i < SERVICES; i++)
		services[i].backends &= i % 5 ? 63 : 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < FLOWS; i++) {
			struct flow *flow = &flows[i];
			u32 chosen = choose(flow, &services[flow->port % SERVICES], i);
			u64 pair = (u64)chosen << 48 | flow->mark;
			u32 turn = (i & 7) + 1;

			sum += pair << turn | pair >> (64 - turn);
			flow->mark += chosen;
			flow->chosen = chosen;
			flow->source_port += flow->flags & 2 ? 7 : 1;
		}
	}
	return sum;
}
