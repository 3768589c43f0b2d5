/* What TCP's algorithms of congestion control have of the kernel, over the program's own struct tcp_sock: its layout is the
   program's, which is why the runtime cannot have them. As the kernel's net/ipv4/tcp_cong.c describes them (RFC 5681). */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

static u32 least(u32 a, u32 b) { return a < b ? a : b; }

static bool starts_slowly(const struct tcp_sock *tp) { return tp->snd_cwnd < tp->snd_ssthresh; }

/* Whether the window is what holds the sender back. */
static bool is_limited(const struct tcp_sock *tp)
{
    return tp->is_cwnd_limited || (starts_slowly(tp) && tp->snd_cwnd < 2 * tp->max_packets_out);
}

/* A packet more for each that is acknowledged, up to the threshold; how many acknowledgements are left. */
u32 tcp_slow_start(struct tcp_sock *tp, u32 acked)
{
    u32 window = least(tp->snd_cwnd + acked, tp->snd_ssthresh);
    acked -= window - tp->snd_cwnd;
    tp->snd_cwnd = least(window, tp->snd_cwnd_clamp);
    return acked;
}

/* A packet more for each `w` that are acknowledged. */
void tcp_cong_avoid_ai(struct tcp_sock *tp, u32 w, u32 acked)
{
    u32 window = tp->snd_cwnd, counted = tp->snd_cwnd_cnt;
    if (counted >= w) {
        counted = 0;
        window++;
    }
    counted += acked;
    if (w && counted >= w) {
        window += counted / w;
        counted %= w;
    }
    tp->snd_cwnd_cnt = counted;
    tp->snd_cwnd = least(window, tp->snd_cwnd_clamp);
}

void tcp_reno_cong_avoid(struct sock *sk, u32 ack, u32 acked)
{
    struct tcp_sock *tp = (struct tcp_sock *)sk;
    if (!is_limited(tp))
        return;
    if (starts_slowly(tp)) {
        acked = tcp_slow_start(tp, acked);
        if (!acked)
            return;
    }
    tcp_cong_avoid_ai(tp, tp->snd_cwnd, acked);
}

u32 tcp_reno_undo_cwnd(struct sock *sk)
{
    const struct tcp_sock *tp = (struct tcp_sock *)sk;
    return tp->snd_cwnd > tp->prior_cwnd ? tp->snd_cwnd : tp->prior_cwnd;
}
