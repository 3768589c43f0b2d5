/* Helpers 111 and 121: as bpf_perf_event_output, for tracing programs, which have a packet's pointer from elsewhere. */
#include "contexts/uapi.h"

long bpf_perf_event_output(void *, struct map *, u64, const void *, u64) __asm__("bpf_helper_perf_event_output");

HELPER(long, skb_output, (void *skb, struct map *map, u64 flags, const void *data, u64 size)) {
    return bpf_perf_event_output(skb, map, flags, data, size);
}

HELPER(long, xdp_output, (void *xdp, struct map *map, u64 flags, const void *data, u64 size)) {
    return bpf_perf_event_output(xdp, map, flags, data, size);
}
