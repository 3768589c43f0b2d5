/* A struct of operations: what it points to is the kernel's. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

int printf(const char *format, ...);

struct sock;

struct tcp_congestion_ops {
    void (*init)(struct sock *sk);
    unsigned int (*ssthresh)(struct sock *sk);
    void (*cong_avoid)(struct sock *sk, unsigned int ack, unsigned int acked);
    unsigned int (*undo_cwnd)(struct sock *sk);
    char name[16];
};

int started;

SEC("struct_ops/begun") void BPF_PROG(begun, struct sock *sk)
{
    started++;
}

SEC("struct_ops/threshold") unsigned int BPF_PROG(threshold, struct sock *sk)
{
    return 2;
}

SEC("struct_ops/avoid") void BPF_PROG(avoid, struct sock *sk, unsigned int ack, unsigned int acked)
{
}

SEC("struct_ops/undo") unsigned int BPF_PROG(undo, struct sock *sk)
{
    return 2;
}

SEC(".struct_ops")
struct tcp_congestion_ops plain = {
    .init = (void *)begun,
    .ssthresh = (void *)threshold,
    .cong_avoid = (void *)avoid,
    .undo_cwnd = (void *)undo,
    .name = "bpf_plain",
};

void END(void)
{
    printf("%d\n", started);
}

char LICENSE[] SEC("license") = "GPL";
