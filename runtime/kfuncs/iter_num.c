/* bpf_for: the iterator of numbers. In: where it starts and ends. Out: a pointer to each. The rule: struct bpf_iter_num
   holds the number before the next, and the end, as in the kernel. */
#include "runtime.h"

enum { MAX_LOOPS = 1 << 23 };

struct bpf_iter_num {
    s32 current;
    s32 end;
};

KFUNC(s32, bpf_iter_num_new, (struct bpf_iter_num *it, s32 start, s32 end))
{
    s32 error = start > end ? -EINVAL : (s64)end - start > MAX_LOOPS ? -E2BIG : 0;
    it->current = error ? 0 : (s32)((u32)start - 1);
    it->end = error ? 0 : end;
    return error;
}

KFUNC(s32 *, bpf_iter_num_next, (struct bpf_iter_num *it))
{
    s32 next = (u32)it->current + 1;
    if (next >= it->end) {
        it->current = it->end = 0;
        return NULL;
    }
    it->current = next;
    return &it->current;
}

KFUNC(void, bpf_iter_num_destroy, (struct bpf_iter_num *it)) { it->current = it->end = 0; }
