/* What TCP's algorithms of congestion control have of the kernel (net/ipv4/tcp_cong.c; RFC 5681), over the program's own struct
   tcp_sock: the translator gives these functions the places that the fields have there (src/parse/btf.rs). A type that lacks a
   field that is asked for traps; without `is_cwnd_limited`, the window is what holds the sender back. */
#include "runtime.h"

struct sock;

struct tcp_sock {
    u32 snd_ssthresh;
    u32 snd_cwnd;
    u32 snd_cwnd_cnt;
    u32 snd_cwnd_clamp;
    u32 max_packets_out;
    u32 prior_cwnd;
    u8 is_cwnd_limited : 1;
} __attribute__((preserve_access_index));

/* enum bpf_field_info_kind */
enum { BYTE_OFFSET, BYTE_SIZE, EXISTS, SIGNED, LEFT_SHIFT, RIGHT_SHIFT };

static u32 least(u32 a, u32 b) { return a < b ? a : b; }

/* The bit-field of whatever size and place it has. */
static forced_inline u32 is_marked_limited(const struct tcp_sock *tp)
{
#define LIMITED(kind) __builtin_preserve_field_info(tp->is_cwnd_limited, kind)
    const char *at = (const char *)tp + LIMITED(BYTE_OFFSET);
    u64 value = LIMITED(BYTE_SIZE) == 1   ? *(const u8 *)at
                : LIMITED(BYTE_SIZE) == 2 ? *(const u16 *)at
                : LIMITED(BYTE_SIZE) == 4 ? *(const u32 *)at
                                          : *(const u64 *)at;
    return value << LIMITED(LEFT_SHIFT) >> LIMITED(RIGHT_SHIFT) != 0;
}

static u32 starts_slowly(const struct tcp_sock *tp) { return tp->snd_cwnd < tp->snd_ssthresh; }

/* Whether the window is what holds the sender back. */
static u32 is_limited(const struct tcp_sock *tp)
{
    if (!LIMITED(EXISTS) || is_marked_limited(tp))
        return 1;
    return starts_slowly(tp) && tp->snd_cwnd < 2 * tp->max_packets_out;
}

/* A packet more for each that is acknowledged, up to the threshold; how many acknowledgements are left. */
KFUNC(u32, tcp_slow_start, (struct tcp_sock *tp, u32 acked))
{
    u32 window = least(tp->snd_cwnd + acked, tp->snd_ssthresh);
    acked -= window - tp->snd_cwnd;
    tp->snd_cwnd = least(window, tp->snd_cwnd_clamp);
    return acked;
}

/* A packet more for each `w` that are acknowledged. */
KFUNC(void, tcp_cong_avoid_ai, (struct tcp_sock *tp, u32 w, u32 acked))
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

KFUNC(void, tcp_reno_cong_avoid, (struct sock *sk, u32 ack, u32 acked))
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

/* Half the window, and 2 packets at least. */
KFUNC(u32, tcp_reno_ssthresh, (struct sock *sk))
{
    u32 half = ((struct tcp_sock *)sk)->snd_cwnd >> 1;
    return half > 2 ? half : 2;
}

KFUNC(u32, tcp_reno_undo_cwnd, (struct sock *sk))
{
    const struct tcp_sock *tp = (struct tcp_sock *)sk;
    return tp->snd_cwnd > tp->prior_cwnd ? tp->snd_cwnd : tp->prior_cwnd;
}
