/* What is before an event's bytes in the ring of a perf event array. */
#ifndef BPF2NATIVE_RUNTIME_PERF_EVENT_H
#define BPF2NATIVE_RUNTIME_PERF_EVENT_H

#include "maps/ring.h"

struct perf_event {
    u32 index; /* of the array: the processor, usually */
    u32 length;
    char data[];
};

#endif
