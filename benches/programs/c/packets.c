/* Parses 64 frames: Ethernet, VLAN tags, IPv4 or IPv6, options, TCP or UDP; packed structures in network byte order. */
#include "bench.h"

#define packed __attribute__((packed))

struct packed ethernet {
	u8 destination[6], source[6];
	u16 type;
};

struct packed vlan {
	u16 tag, type;
};

struct packed ipv4 {
	u8 version_length, service;
	u16 length, identification, fragment;
	u8 ttl, protocol;
	u16 checksum;
	u32 source, destination;
};

struct packed ipv6 {
	u32 flow;
	u16 length;
	u8 next, hops;
	u64 source[2], destination[2];
};

struct packed tcp {
	u16 source, destination;
	u32 sequence, acknowledgement;
	u16 flags, window, checksum, urgent;
};

struct flow {
	u64 source, destination;
	u16 ports[2];
	u8 protocol, tags;
};

enum { FRAME = 128, FRAMES = 64 };

static u16 swap16(u16 x)
{
	return (u16)(x << 8 | x >> 8);
}

static int parse(const u8 *at, const u8 *end, struct flow *flow)
{
	const struct ethernet *ethernet = (const struct ethernet *)at;
	u8 protocol;
	if (at + sizeof *ethernet > end)
		return -1;
	u16 type = swap16(ethernet->type);
	at += sizeof *ethernet;
	flow->tags = 0;
	while (type == 0x8100 || type == 0x88a8) {
		const struct vlan *vlan = (const struct vlan *)at;
		if (at + sizeof *vlan > end || flow->tags == 2)
			return -2;
		type = swap16(vlan->type);
		flow->tags++;
		at += sizeof *vlan;
	}
	if (type == 0x0800) {
		const struct ipv4 *ip = (const struct ipv4 *)at;
		if (at + sizeof *ip > end)
			return -3;
		u32 length = (ip->version_length & 15) * 4;
		if (length < sizeof *ip || at + length > end || (swap16(ip->fragment) & 0x1fff))
			return -4;
		flow->source = __builtin_bswap32(ip->source);
		flow->destination = __builtin_bswap32(ip->destination);
		protocol = ip->protocol;
		at += length;
	} else if (type == 0x86dd) {
		const struct ipv6 *ip = (const struct ipv6 *)at;
		if (at + sizeof *ip > end)
			return -5;
		flow->source = ip->source[0] ^ ip->source[1];
		flow->destination = ip->destination[0] ^ ip->destination[1];
		protocol = ip->next;
		at += sizeof *ip;
	} else {
		return -6;
	}
	flow->protocol = protocol;
	const struct tcp *tcp = (const struct tcp *)at;
	if (protocol == 6) {
		if (at + sizeof *tcp > end || (swap16(tcp->flags) & 7) == 7)
			return -7;
	} else if (protocol != 17 || at + 8 > end) {
		return -8;
	}
	flow->ports[0] = swap16(tcp->source);
	flow->ports[1] = swap16(tcp->destination);
	return protocol;
}

/* Makes random bytes look like a frame. */
static void dress(u8 *frame, u32 kind)
{
	u8 *at = frame + 12;
	if (kind & 1) {
		at[0] = 0x81;
		at[1] = 0;
		at += 4;
	}
	if (kind & 2) {
		at[0] = 0x08;
		at[1] = 0;
		at[2] = (u8)(0x45 + (kind >> 3 & 1));
		at[8] = 0x40;
		at[9] = 0;
		at[11] = kind & 4 ? 6 : 17;
	} else {
		at[0] = 0x86;
		at[1] = 0xdd;
		at[8] = kind & 4 ? 6 : 17;
	}
}

u64 bench(void *buffer, u64 iterations)
{
	u8 *frames = buffer;
	for (u32 i = 0; i < FRAMES; i++)
		dress(frames + i * FRAME, i * 7);
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < FRAMES; i++) {
			const u8 *frame = frames + i * FRAME;
			struct flow flow = { 0 };
			int kind = parse(frame, frame + FRAME - (n + i) % 80, &flow);
			sum += (u64)kind + flow.source * 3 + flow.destination * 5 + flow.tags;
			sum ^= (u64)flow.ports[0] << 16 | flow.ports[1];
		}
	}
	return sum;
}
