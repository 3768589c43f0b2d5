/* An XDP load balancer: UDP packets to the addresses of services are sent on to one of the backends. A flow keeps its backend until
   nothing has come of it for 30 seconds. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include "balancer.h"

/* What <bpf/bpf_helpers.h> has, so that the example needs nothing but a compiler. */
#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int(*name)[value]
#define __type(name, value) __typeof__(value) *name
static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const bpf_map_update_elem)(void *map, const void *key, const void *value, __u64 flags) = (void *)2;
static __u64 (*const bpf_ktime_get_ns)(void) = (void *)5;

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 256);
    __type(key, struct service);
    __type(value, __u32);
} services SEC(".maps"); /* the number of packets of each */

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, MOST_BACKENDS);
    __type(key, __u32);
    __type(value, struct backend);
} backends SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, struct flow);
    __type(value, struct assignment);
} flows SEC(".maps");

/* How many backends there are; set by the loader. */
const volatile __u32 backend_count = 0;

static __u32 hash(const struct flow *flow) {
    __u32 sum = flow->source ^ (__u32)flow->source_port << 16 ^ flow->service.address ^ flow->service.port;
    sum = (sum ^ sum >> 16) * 0x85ebca6b;
    sum = (sum ^ sum >> 13) * 0xc2b2ae35;
    return sum ^ sum >> 16;
}

/* The backend of a flow; `backend_count` if there is none. */
static __u32 choose(const struct flow *flow) {
    __u64 now = bpf_ktime_get_ns();
    struct assignment *known = bpf_map_lookup_elem(&flows, flow);
    if (known && now - known->last_seen < FLOW_TIMEOUT * 1000000000ull && known->backend < backend_count) {
        known->last_seen = now;
        return known->backend;
    }
    if (backend_count == 0) return 0;
    struct assignment chosen = {.last_seen = now, .backend = hash(flow) % backend_count};
    bpf_map_update_elem(&flows, flow, &chosen, BPF_ANY);
    return chosen.backend;
}

/* Replaces an address in a header's checksum (RFC 1624). */
static __u16 updated(__u16 check, __be32 old, __be32 new) {
    __u32 sum = (__u16)~check + (__u16)~old + (__u16)~(old >> 16) + (__u16)new + (__u16)(new >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return ~((sum & 0xffff) + (sum >> 16));
}

SEC("xdp") int balance(struct xdp_md *ctx) {
    void *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = (void *)(long)ctx->data;
    struct iphdr *ip = (void *)(eth + 1);
    struct udphdr *udp = (void *)(ip + 1);

    if ((void *)ip > end) return XDP_DROP;
    if (eth->h_proto != __builtin_bswap16(ETH_P_IP)) return XDP_PASS;
    if ((void *)udp > end || ip->version != 4 || ip->ihl < 5) return XDP_DROP;
    if (ip->ihl != 5 || ip->protocol != IPPROTO_UDP) return XDP_PASS;
    if ((void *)(udp + 1) > end) return XDP_DROP;

    struct flow flow = {.source = ip->saddr, .source_port = udp->source, .service = {ip->daddr, udp->dest, 0}};
    __u32 *packets = bpf_map_lookup_elem(&services, &flow.service);
    if (!packets) return XDP_PASS;
    __sync_fetch_and_add(packets, 1);

    __u32 number = choose(&flow);
    struct backend *backend = bpf_map_lookup_elem(&backends, &number);
    if (number >= backend_count || !backend) return XDP_DROP;

    ip->check = updated(ip->check, ip->daddr, backend->address);
    if (udp->check) udp->check = updated(udp->check, ip->daddr, backend->address);
    ip->daddr = backend->address;
    __builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
    __builtin_memcpy(eth->h_dest, backend->mac, ETH_ALEN);
    return XDP_TX;
}

char LICENSE[] SEC("license") = "GPL";
