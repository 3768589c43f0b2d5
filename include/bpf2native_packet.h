/* Packets for tests: headers one after the other, then lengths, types and checksums are filled in. For C11 with GNU's extensions,
   compiled for BPF or for the machine.

       static struct test_packet packet;        // static: BPF's stack has 512 bytes

       packet_begin(&packet);
       packet_ethernet(&packet, "02:00:00:00:00:01", "02:00:00:00:00:02");    // to, from
       packet_vlan(&packet, 100);                                             // optional
       packet_ipv4(&packet, "10.0.0.1", "10.0.0.2");                          // from, to
       packet_udp(&packet, 1234, 53);                                         // from, to
       packet_text(&packet, "hello");
       packet_end(&packet);
       struct xdp_md *ctx = bpf2native_xdp(packet.data, packet.length);

   Headers may be nested as they like (IPv4 in IPv6, Ethernet in UDP). Each function returns the header, to change what it has not
   set: `((struct iphdr *)packet_ipv4(...))->ttl = 1`, before packet_end. What does not fit, and an address that is none, fails
   the test. */
#ifndef BPF2NATIVE_PACKET_H
#define BPF2NATIVE_PACKET_H

#include "bpf2native_test.h"

#ifndef TEST_PACKET_SIZE
#define TEST_PACKET_SIZE 2048
#endif

enum { TEST_PACKET_LAYERS = 16 };

enum test_packet_layer_kind {
    TEST_PACKET_ETHERNET, TEST_PACKET_VLAN, TEST_PACKET_IPV4, TEST_PACKET_IPV6,
    TEST_PACKET_UDP, TEST_PACKET_TCP, TEST_PACKET_ICMP, TEST_PACKET_ICMPV6
};

struct test_packet {
    unsigned length;  /* in bytes */
    unsigned layers;
    struct { unsigned short kind, offset; } layer[TEST_PACKET_LAYERS];
    unsigned char data[TEST_PACKET_SIZE] __attribute__((aligned(8)));
};

enum { TEST_TCP_FIN = 1, TEST_TCP_SYN = 2, TEST_TCP_RST = 4, TEST_TCP_PSH = 8, TEST_TCP_ACK = 16, TEST_TCP_URG = 32 };

/* ---- Numbers and addresses ---- */

static inline void packet_put16(unsigned char *at, unsigned value) {
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
}

static inline unsigned packet_get16(const unsigned char *at) { return (unsigned)at[0] << 8 | at[1]; }

/* Not memset and memcpy, which clang makes of such loops and then refuses for BPF. */
static inline void packet_zero(unsigned char *to, unsigned length) {
    for (unsigned i = 0; i < length; i++) {
        __asm__ volatile("");
        to[i] = 0;
    }
}

static inline void packet_copy(unsigned char *to, const unsigned char *from, unsigned length) {
    for (unsigned i = 0; i < length; i++) {
        __asm__ volatile("");
        to[i] = from[i];
    }
}

/* The value of a hexadecimal digit; 16 for other characters. */
static inline unsigned packet_digit(char c) {
    if (c >= '0' && c <= '9') return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f') return (unsigned)(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') return (unsigned)(c - 'A' + 10);
    return 16;
}

/* Reads "02:00:00:00:00:01". */
static inline void packet_mac(unsigned char *to, const char *text) {
    for (unsigned i = 0; i < 6; i++) {
        unsigned high = packet_digit(text[0]), low = high < 16 ? packet_digit(text[1]) : 16;
        if (low == 16 || text[2] != (i < 5 ? ':' : 0)) {
            FAIL("a hardware address is six pairs of hexadecimal digits: 02:00:00:00:00:01");
            return;
        }
        to[i] = (unsigned char)(high << 4 | low);
        text += 3;
    }
}

/* Reads "10.0.0.1". */
static inline void packet_address4(unsigned char *to, const char *text) {
    for (unsigned i = 0; i < 4; i++) {
        unsigned value = 0, digits = 0;
        while (*text >= '0' && *text <= '9' && digits < 4) value = 10 * value + (unsigned)(*text++ - '0'), digits++;
        if (digits == 0 || value > 255 || *text != (i < 3 ? '.' : 0)) {
            FAIL("an IPv4 address is four numbers: 10.0.0.1");
            return;
        }
        to[i] = (unsigned char)value;
        text++;
    }
}

/* An address as in packets and maps, in network byte order: ipv4("10.0.0.1") is iphdr.saddr. */
static inline unsigned ipv4(const char *text) {
    union { unsigned char bytes[4]; unsigned word; } address = {{0}};
    packet_address4(address.bytes, text);
    return address.word;
}

/* Reads "2001:db8::1". */
static inline void packet_address6(unsigned char *to, const char *text) {
    unsigned groups = 0, gap = 8, is_wrong = 0;
    if (text[0] == ':' && text[1] == ':') gap = 0, text += 2;
    while (*text && !is_wrong && groups < 8) {
        unsigned value = 0, digits = 0;
        while (packet_digit(*text) < 16 && digits < 5) value = value << 4 | packet_digit(*text++), digits++;
        is_wrong = digits == 0 || digits == 5;
        packet_put16(to + 2 * groups++, value);
        if (text[0] == ':' && text[1] == ':' && gap == 8) gap = groups, text += 2;
        else if (text[0] == ':' && text[1]) text++;
        else break;
    }
    if (is_wrong || *text || (gap == 8) != (groups == 8)) {
        FAIL("an IPv6 address is eight groups of hexadecimal digits, or fewer with ::: 2001:db8::1");
        return;
    }
    /* The groups behind the gap go to the end. */
    for (unsigned moved = 0; moved < groups - gap && gap < 8; moved++) {
        unsigned from = 2 * (groups - 1 - moved), place = 2 * (7 - moved);
        to[place] = to[from], to[place + 1] = to[from + 1];
    }
    if (gap < 8) packet_zero(to + 2 * gap, 2 * (8 - groups));
}

/* ---- Parts ---- */

static inline void packet_begin(struct test_packet *packet) { packet->length = packet->layers = 0; }

/* Room for bytes, which are zeros. */
static inline unsigned char *packet_space(struct test_packet *packet, unsigned length) {
    unsigned char *start = packet->data + packet->length;
    if (length > TEST_PACKET_SIZE - packet->length) {
        FAIL("the packet is too long: define TEST_PACKET_SIZE before bpf2native_test.h");
        return packet->data;
    }
    packet_zero(start, length);
    packet->length += length;
    return start;
}

static inline unsigned char *packet_layer(struct test_packet *packet, unsigned kind, unsigned length) {
    if (packet->layers == TEST_PACKET_LAYERS) {
        FAIL("a packet has at most 16 headers");
        return packet->data;
    }
    packet->layer[packet->layers].kind = (unsigned short)kind;
    packet->layer[packet->layers++].offset = (unsigned short)packet->length;
    return packet_space(packet, length);
}

static inline void *packet_ethernet(struct test_packet *packet, const char *to, const char *from) {
    unsigned char *header = packet_layer(packet, TEST_PACKET_ETHERNET, 14);
    packet_mac(header, to);
    packet_mac(header + 6, from);
    return header;
}

/* An 802.1Q tag; where another one follows, it is 802.1ad's. */
static inline void *packet_vlan(struct test_packet *packet, unsigned id) {
    unsigned char *header = packet_layer(packet, TEST_PACKET_VLAN, 4);
    packet_put16(header, id);
    return header;
}

static inline void *packet_ipv4(struct test_packet *packet, const char *from, const char *to) {
    unsigned char *header = packet_layer(packet, TEST_PACKET_IPV4, 20);
    header[0] = 0x45;
    header[8] = 64;
    packet_address4(header + 12, from);
    packet_address4(header + 16, to);
    return header;
}

static inline void *packet_ipv6(struct test_packet *packet, const char *from, const char *to) {
    unsigned char *header = packet_layer(packet, TEST_PACKET_IPV6, 40);
    header[0] = 0x60;
    header[7] = 64;
    packet_address6(header + 8, from);
    packet_address6(header + 24, to);
    return header;
}

static inline void *packet_udp(struct test_packet *packet, unsigned from, unsigned to) {
    unsigned char *header = packet_layer(packet, TEST_PACKET_UDP, 8);
    packet_put16(header, from);
    packet_put16(header + 2, to);
    return header;
}

/* `flags`: TEST_TCP_SYN | TEST_TCP_ACK ... */
static inline void *packet_tcp(struct test_packet *packet, unsigned from, unsigned to, unsigned flags) {
    unsigned char *header = packet_layer(packet, TEST_PACKET_TCP, 20);
    packet_put16(header, from);
    packet_put16(header + 2, to);
    header[12] = 5 << 4;
    header[13] = (unsigned char)flags;
    packet_put16(header + 14, 0xffff);
    return header;
}

/* ICMP behind IPv4, ICMPv6 behind IPv6; 8 bytes, of which the last four are zeros. */
static inline void *packet_icmp(struct test_packet *packet, unsigned type, unsigned code) {
    unsigned is_ipv6 = packet->layers && packet->layer[packet->layers - 1].kind == TEST_PACKET_IPV6;
    unsigned char *header = packet_layer(packet, is_ipv6 ? TEST_PACKET_ICMPV6 : TEST_PACKET_ICMP, 8);
    header[0] = (unsigned char)type;
    header[1] = (unsigned char)code;
    return header;
}

static inline void *packet_payload(struct test_packet *packet, const void *bytes, unsigned length) {
    unsigned char *start = packet_space(packet, length);
    packet_copy(start, (const unsigned char *)bytes, length);
    return start;
}

/* The characters, without the zero at the end. */
static inline void *packet_text(struct test_packet *packet, const char *text) {
    unsigned length = 0;
    while (text[length]) length++;
    return packet_payload(packet, text, length);
}

/* Bytes as hexadecimal digits: "45 00 00 1c" or "4500001c". */
static inline void *packet_hex(struct test_packet *packet, const char *text) {
    unsigned char *start = packet->data + packet->length;
    while (*text) {
        if (*text == ' ' || *text == '\n' || *text == ':') {
            text++;
            continue;
        }
        unsigned high = packet_digit(text[0]), low = high < 16 ? packet_digit(text[1]) : 16;
        if (low == 16) {
            FAIL("bytes are pairs of hexadecimal digits: 45 00 00 1c");
            return start;
        }
        *packet_space(packet, 1) = (unsigned char)(high << 4 | low);
        text += 2;
    }
    return start;
}

/* ---- The end ---- */

/* Adds bytes to a sum of 16-bit words in network byte order (RFC 1071). */
static inline unsigned long packet_sum(unsigned long sum, const unsigned char *bytes, unsigned length) {
    for (unsigned i = 0; i + 1 < length; i += 2) sum += packet_get16(bytes + i);
    return length % 2 ? sum + ((unsigned long)bytes[length - 1] << 8) : sum;
}

static inline unsigned packet_folded(unsigned long sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return (unsigned)(~sum & 0xffff);
}

/* Fills in what says that `kind` comes next. */
static inline void packet_next(struct test_packet *packet, unsigned layer, unsigned kind) {
    static const unsigned short types[] = {0x6558, 0x8100, 0x0800, 0x86dd, 0, 0, 0, 0};
    static const unsigned char protocols[] = {143, 0, 4, 41, 17, 6, 1, 58};
    unsigned char *header = packet->data + packet->layer[layer].offset;
    switch (packet->layer[layer].kind) {
    case TEST_PACKET_ETHERNET:
        packet_put16(header + 12, types[kind]);
        /* The outer one of two tags. */
        if (kind == TEST_PACKET_VLAN && layer + 2 < packet->layers && packet->layer[layer + 2].kind == TEST_PACKET_VLAN)
            packet_put16(header + 12, 0x88a8);
        break;
    case TEST_PACKET_VLAN: packet_put16(header + 2, types[kind]); break;
    case TEST_PACKET_IPV4: header[9] = protocols[kind]; break;
    case TEST_PACKET_IPV6: header[6] = protocols[kind]; break;
    default: break;
    }
}

/* The sum of what a checksum covers beside its own part: addresses, length and protocol of the header around it. */
static inline unsigned long packet_pseudo(const struct test_packet *packet, unsigned layer, unsigned length) {
    if (layer == 0) return 0;
    const unsigned char *outer = packet->data + packet->layer[layer - 1].offset;
    switch (packet->layer[layer - 1].kind) {
    case TEST_PACKET_IPV4: return packet_sum(length + outer[9], outer + 12, 8);
    case TEST_PACKET_IPV6: return packet_sum(length + outer[6], outer + 8, 32);
    default: return 0;
    }
}

/* Fills in lengths, types of what follows and checksums, from the innermost header outwards. */
static inline void packet_end(struct test_packet *packet) {
    for (unsigned layer = packet->layers; layer-- > 0;) {
        unsigned kind = packet->layer[layer].kind;
        unsigned char *header = packet->data + packet->layer[layer].offset;
        unsigned length = packet->length - packet->layer[layer].offset, checksum;
        if (layer > 0) packet_next(packet, layer - 1, kind);
        switch (kind) {
        case TEST_PACKET_IPV4:
            packet_put16(header + 2, length);
            packet_put16(header + 10, 0);
            packet_put16(header + 10, packet_folded(packet_sum(0, header, 4u * (header[0] & 15u))));
            break;
        case TEST_PACKET_IPV6: packet_put16(header + 4, length - 40); break;
        case TEST_PACKET_UDP:
            packet_put16(header + 4, length);
            packet_put16(header + 6, 0);
            checksum = packet_folded(packet_sum(packet_pseudo(packet, layer, length), header, length));
            packet_put16(header + 6, checksum ? checksum : 0xffff);
            break;
        case TEST_PACKET_TCP:
            packet_put16(header + 16, 0);
            packet_put16(header + 16, packet_folded(packet_sum(packet_pseudo(packet, layer, length), header, length)));
            break;
        case TEST_PACKET_ICMP:
        case TEST_PACKET_ICMPV6:
            packet_put16(header + 2, 0);
            packet_put16(header + 2,
                packet_folded(packet_sum(kind == TEST_PACKET_ICMPV6 ? packet_pseudo(packet, layer, length) : 0, header, length)));
            break;
        default: break;
        }
    }
}

#endif
