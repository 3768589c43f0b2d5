/* Tests of balancer.c, linked with the object that ships:

       clang $(bpf2native cflags) -c balancer_test.c
       bpf2native test balancer_test.o -- balancer.o                                                                    */
#include <linux/bpf.h>
#include <bpf2native_runtime.h>
#include <bpf2native_test.h>
#include "balancer.h"

#define SERVICE "10.0.0.1"
#define CLIENT "192.0.2.7"

/* What the program has: its function, its maps, and a variable that is const only to it. */
int balance(struct xdp_md *ctx);
extern int services, backends, flows;
extern volatile __u32 backend_count;

/* The clock, in place of the kernel's: the helper is replaced in the whole program. */
static __u64 now = 1000000000;
__u64 bpf_ktime_get_ns(void);
__u64 bpf_ktime_get_ns(void) { return now; }

static struct test_packet packet, expected;

static void udp_packet(struct test_packet *packet, const char *to_mac, const char *from_mac, const char *to, unsigned port) {
    packet_begin(packet);
    packet_ethernet(packet, to_mac, from_mac);
    packet_ipv4(packet, CLIENT, to);
    packet_udp(packet, port, 53);
    packet_text(packet, "a question");
    packet_end(packet);
}

/* The service, with so many backends: 10.0.1.1, 10.0.1.2 ... */
static void set_up(unsigned count) {
    struct service service = {.address = ipv4(SERVICE), .port = __builtin_bswap16(53)};
    __u32 none = 0;
    ASSERT_EQ(bpf2native_map_update(&services, &service, &none, BPF_ANY), 0);
    for (__u32 i = 0; i < count; i++) {
        struct backend backend = {.address = ipv4("10.0.1.0"), .mac = {2, 0, 0, 0, 1, i + 1}};
        ((__u8 *)&backend.address)[3] = i + 1;
        ASSERT_EQ(bpf2native_map_update(&backends, &i, &backend, BPF_ANY), 0);
    }
    backend_count = count;
}

/* Sends a packet of a client's port to the service: the verdict, and which backend got it. */
static int send(unsigned port, unsigned *backend) {
    udp_packet(&packet, "02:00:00:00:00:01", "02:00:00:00:00:02", SERVICE, port);
    struct xdp_md *ctx = bpf2native_xdp(packet.data, packet.length);
    int verdict = balance(ctx);
    unsigned length;
    *backend = ((const __u8 *)bpf2native_packet(ctx, &length))[5];
    bpf2native_free(ctx);
    return verdict;
}

TEST(other_protocols_pass) {
    packet_begin(&packet);
    packet_ethernet(&packet, "ff:ff:ff:ff:ff:ff", "02:00:00:00:00:02");
    packet_ipv6(&packet, "2001:db8::1", "2001:db8::2");
    packet_tcp(&packet, 1000, 80, TEST_TCP_SYN);
    packet_end(&packet);
    ASSERT_EQ(balance(bpf2native_xdp(packet.data, packet.length)), XDP_PASS);
}

TEST(other_services_pass) {
    set_up(2);
    udp_packet(&packet, "02:00:00:00:00:01", "02:00:00:00:00:02", "10.0.0.99", 4000);
    ASSERT_EQ(balance(bpf2native_xdp(packet.data, packet.length)), XDP_PASS);
}

TEST(truncated_packets_are_dropped) {
    udp_packet(&packet, "02:00:00:00:00:01", "02:00:00:00:00:02", SERVICE, 4000);
    /* Everywhere within the headers. */
    for (unsigned length = 14; length < 14 + 20 + 8; length++)
        ASSERT_EQ(balance(bpf2native_xdp(packet.data, length)), XDP_DROP);
}

TEST(a_packet_goes_to_a_backend) {
    set_up(1);
    udp_packet(&packet, "02:00:00:00:00:01", "02:00:00:00:00:02", SERVICE, 4000);
    struct xdp_md *ctx = bpf2native_xdp(packet.data, packet.length);
    ASSERT_EQ(balance(ctx), XDP_TX);

    /* The packet as a client would have sent it to the backend: the checksums have to be right. */
    unsigned length;
    const void *sent = bpf2native_packet(ctx, &length);
    udp_packet(&expected, "02:00:00:00:01:01", "02:00:00:00:00:01", "10.0.1.1", 4000);
    ASSERT_EQ(length, expected.length);
    ASSERT_MEMEQ(sent, expected.data, length);

    struct service service = {.address = ipv4(SERVICE), .port = __builtin_bswap16(53)};
    __u32 packets = 0;
    ASSERT_EQ(bpf2native_map_lookup(&services, &service, &packets, 0), 0);
    EXPECT_EQ(packets, 1);
}

TEST(all_backends_get_flows) {
    unsigned seen = 0, backend;
    set_up(4);
    for (unsigned port = 1000; port < 1100; port++) {
        ASSERT_EQ(send(port, &backend), XDP_TX);
        seen |= 1u << backend;
    }
    EXPECT_EQ(seen, 0x1eu);
}

TEST(a_flow_keeps_its_backend) {
    unsigned first, second;
    set_up(1);
    ASSERT_EQ(send(4000, &first), XDP_TX);
    set_up(MOST_BACKENDS);
    now += 29ull * 1000000000;
    ASSERT_EQ(send(4000, &second), XDP_TX);
    EXPECT_EQ(second, first);
}

TEST(an_old_flow_gets_a_new_backend) {
    unsigned backend, others = 0;
    set_up(1);
    for (unsigned port = 4000; port < 4010; port++) send(port, &backend);
    set_up(MOST_BACKENDS);
    now += 31ull * 1000000000;
    for (unsigned port = 4000; port < 4010; port++) {
        send(port, &backend);
        others += backend != 1;
    }
    EXPECT_GT(others, 0u);
}
