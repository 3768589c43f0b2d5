/* Which processor a program runs on: bpf_get_smp_processor_id. In: what bpf2native_set_processor sets, 0 at first. Out:
   the same for all threads. The rule: it is always one of bpf2native_processors(). */
#include "runtime.h"

extern u32 bpf2native_processors(void);

static u32 processor;

HELPER(u64, get_smp_processor_id, (void)) { return *(volatile u32 *)&processor; }

HELPER(u64, get_numa_node_id, (void)) { return 0; }

API(long, bpf2native_set_processor, (u32 number))
{
    if (number >= bpf2native_processors())
        return -EINVAL;
    __sync_lock_test_and_set(&processor, number);
    return 0;
}
