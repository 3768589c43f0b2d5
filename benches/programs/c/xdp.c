/* A packet filter as XDP programs are: 16 frames, each access after a check against the frame's end, verdicts counted.
 * Masks and constant sizes let the kernel's verifier take it. */
#include "bench.h"

enum { FRAME = 128, FRAMES = 16 };
enum verdict { DROP, PASS, REDIRECT };

struct packet {
	u32 length;
	u8 data[FRAME - 4];
};

static inline enum verdict filter(const u8 *data, u32 length)
{
	if (length < 14 + 20)
		return DROP;
	u32 type = data[12] << 8 | data[13];
	if (type != 0x0800)
		return type == 0x0806 ? PASS : DROP;
	u32 header = (data[14] & 15) * 4;
	if (header < 20 || data[14] >> 4 != 4)
		return DROP;
	u32 transport = 14 + header;
	if (transport + 20 > length || transport + 20 > FRAME - 4)
		return DROP;
	if (data[22] <= 1)
		return DROP;
	u32 source = (u32)data[26] << 24 | data[27] << 16 | data[28] << 8 | data[29];
	if (source >> 24 == 127 || source == 0)
		return DROP;
	const u8 *at = data + transport;
	u32 port = at[2] << 8 | at[3];
	switch (data[23]) {
	case 1:
		return at[0] == 8 || at[0] == 0 ? PASS : DROP;
	case 6:
		if ((at[13] & 0x03) == 0x03 || at[13] == 0)
			return DROP;
		return port == 80 || port == 443 || port > 1023 ? PASS : DROP;
	case 17:
		return port == 53 ? REDIRECT : port > 1023 ? PASS : DROP;
	default:
		return DROP;
	}
}

u64 bench(void *buffer, u64 iterations)
{
	struct packet *packets = buffer;
	u64 counts = 0;
	for (u32 i = 0; i < FRAMES; i++) {
		struct packet *packet = &packets[i];
		packet->data[12] = 8;
		packet->data[13] = i == 5 ? 6 : 0;
		packet->data[14] = (u8)(0x45 + (i & 1));
		packet->data[22] |= 2;
		packet->data[23] = i % 3 == 0 ? 17 : i % 3 == 1 ? 6 : i % 2 ? 1 : 6;
		packet->length = 40 + i * 5;
	}
	for (u64 n = 0; n < iterations; n++)
		for (u32 i = 0; i < FRAMES; i++)
			counts += 1ULL << (filter(packets[i].data, packets[i].length) * 20 & 63);
	return counts;
}
