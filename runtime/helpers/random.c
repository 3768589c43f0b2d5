/* Random numbers: bpf_get_prandom_u32. In: the seed that bpf2native_set_random sets. Out: the same numbers in each run.
   The rule: Steele and others' SplitMix64, whose state is a counter, so that threads share it without a lock. */
#include "runtime.h"

static u64 state = 0x62706632;

/* 2^64 divided by the golden ratio. */
static const u64 STEP = 0x9e3779b97f4a7c15;

HELPER(u64, get_prandom_u32, (void))
{
    u64 z = __sync_fetch_and_add(&state, STEP) + STEP;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) >> 32;
}

API(void, bpf2native_set_random, (u64 seed)) { __sync_lock_test_and_set(&state, seed); }
