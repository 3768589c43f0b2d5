/* bpf_for_each(bits, ...): the iterator of set bits. In: words, which are copied first. Out: a pointer to the number of
   each bit that is set. The rule: struct bpf_iter_bits holds one word, or a pointer to the copy of more. */
#include "helpers/memory.h"

extern void *calloc(u64 count, u64 size);
extern void free(void *memory);

enum { MAX_WORDS = 511 };

struct bpf_iter_bits {
    union {
        u64 word;
        u64 *words;
    };
    u32 bits;
    s32 bit;
};

KFUNC(s32, bpf_iter_bits_new, (struct bpf_iter_bits *it, const u64 *words, u32 count))
{
    it->word = 0;
    it->bits = 0;
    it->bit = -1;
    if (!words || !count)
        return -EINVAL;
    if (count > MAX_WORDS)
        return -E2BIG;
    u64 *copy = count == 1 ? &it->word : calloc(count, 8);
    if (!copy)
        return -ENOMEM;
    if (bpf2native_rt_read(copy, 8 * (u64)count, words)) {
        if (count > 1)
            free(copy);
        it->word = 0;
        return -EFAULT;
    }
    if (count > 1)
        it->words = copy;
    it->bits = 64 * count;
    return 0;
}

KFUNC(s32 *, bpf_iter_bits_next, (struct bpf_iter_bits *it))
{
    const u64 *words = it->bits == 64 ? &it->word : it->words;
    for (u32 bit = it->bit + 1; bit < it->bits; bit++) {
        if (words[bit / 64] >> bit % 64 & 1) {
            it->bit = bit;
            return &it->bit;
        }
    }
    it->bit = it->bits;
    return NULL;
}

KFUNC(void, bpf_iter_bits_destroy, (struct bpf_iter_bits *it))
{
    if (it->bits > 64)
        free(it->words);
    it->bits = 0;
}
