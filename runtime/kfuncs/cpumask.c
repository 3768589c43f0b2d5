/* Sets of processors: bpf_cpumask_create and the operations on them. In: struct bpf_cpumask, or a struct cpumask, which is
   its start. Out: as the kernel's, of which processors from bpf2native_processors() on are never set. The rule: one word
   is enough for all the processors that there are; what is beyond it is zero, for programs that look. */
#include "kfuncs/object.h"

extern u32 bpf2native_processors(void);
extern void *bpf_obj_new_impl(u64 type, void *types);
extern void *bpf_refcount_acquire_impl(void *object, void *types);

enum { EACCES = 13 };

/* Of an address' size, as that of the kernels that have the most processors, 8192. */
enum { CPUMASK_SIZE = 1024 };

struct cpumask {
    u64 bits[CPUMASK_SIZE / 8];
};

/* The processors that there are. */
static u64 all(void)
{
    u32 count = bpf2native_processors();
    return count >= 64 ? ~0ul : (1ul << count) - 1;
}

static u64 bit(u32 processor) { return processor < 64 ? 1ul << processor & all() : 0; }

/* The first of a set; the number of processors for an empty one. */
static u32 first(u64 set)
{
    u32 count = bpf2native_processors(), processor = 0;
    while (processor < count && !(set >> processor & 1))
        processor++;
    return processor;
}

static u64 load(const struct cpumask *mask) { return *(const volatile u64 *)mask->bits & all(); }

KFUNC(struct cpumask *, bpf_cpumask_create, (void)) { return bpf_obj_new_impl((u64)CPUMASK_SIZE << 32, NULL); }

KFUNC(struct cpumask *, bpf_cpumask_acquire, (struct cpumask *mask)) { return bpf_refcount_acquire_impl(mask, NULL); }

KFUNC(void, bpf_cpumask_release, (struct cpumask *mask)) { bpf_obj_drop_impl(mask, NULL); }

KFUNC(u32, bpf_cpumask_first, (const struct cpumask *mask)) { return first(load(mask)); }

KFUNC(u32, bpf_cpumask_first_zero, (const struct cpumask *mask)) { return first(~load(mask)); }

KFUNC(u32, bpf_cpumask_first_and, (const struct cpumask *one, const struct cpumask *other))
{
    return first(load(one) & load(other));
}

KFUNC(void, bpf_cpumask_set_cpu, (u32 processor, struct cpumask *mask))
{
    __sync_fetch_and_or(mask->bits, bit(processor));
}

KFUNC(void, bpf_cpumask_clear_cpu, (u32 processor, struct cpumask *mask))
{
    __sync_fetch_and_and(mask->bits, ~bit(processor));
}

KFUNC(_Bool, bpf_cpumask_test_cpu, (u32 processor, const struct cpumask *mask))
{
    return (load(mask) & bit(processor)) != 0;
}

KFUNC(_Bool, bpf_cpumask_test_and_set_cpu, (u32 processor, struct cpumask *mask))
{
    return (__sync_fetch_and_or(mask->bits, bit(processor)) & bit(processor)) != 0;
}

KFUNC(_Bool, bpf_cpumask_test_and_clear_cpu, (u32 processor, struct cpumask *mask))
{
    return (__sync_fetch_and_and(mask->bits, ~bit(processor)) & bit(processor)) != 0;
}

KFUNC(void, bpf_cpumask_setall, (struct cpumask *mask)) { mask->bits[0] = all(); }

KFUNC(void, bpf_cpumask_clear, (struct cpumask *mask)) { mask->bits[0] = 0; }

/* Whether any is in both. */
KFUNC(_Bool, bpf_cpumask_and, (struct cpumask *to, const struct cpumask *one, const struct cpumask *other))
{
    return (to->bits[0] = load(one) & load(other)) != 0;
}

KFUNC(void, bpf_cpumask_or, (struct cpumask *to, const struct cpumask *one, const struct cpumask *other))
{
    to->bits[0] = load(one) | load(other);
}

KFUNC(void, bpf_cpumask_xor, (struct cpumask *to, const struct cpumask *one, const struct cpumask *other))
{
    to->bits[0] = load(one) ^ load(other);
}

KFUNC(_Bool, bpf_cpumask_equal, (const struct cpumask *one, const struct cpumask *other))
{
    return load(one) == load(other);
}

KFUNC(_Bool, bpf_cpumask_intersects, (const struct cpumask *one, const struct cpumask *other))
{
    return (load(one) & load(other)) != 0;
}

KFUNC(_Bool, bpf_cpumask_subset, (const struct cpumask *part, const struct cpumask *whole))
{
    return !(load(part) & ~load(whole));
}

KFUNC(_Bool, bpf_cpumask_empty, (const struct cpumask *mask)) { return !load(mask); }

KFUNC(_Bool, bpf_cpumask_full, (const struct cpumask *mask)) { return load(mask) == all(); }

KFUNC(void, bpf_cpumask_copy, (struct cpumask *to, const struct cpumask *from)) { to->bits[0] = load(from); }

/* The kernel takes another one each time; here it is the first. */
KFUNC(u32, bpf_cpumask_any_distribute, (const struct cpumask *mask)) { return first(load(mask)); }

KFUNC(u32, bpf_cpumask_any_and_distribute, (const struct cpumask *one, const struct cpumask *other))
{
    return first(load(one) & load(other));
}

KFUNC(u32, bpf_cpumask_weight, (const struct cpumask *mask))
{
    u32 count = 0;
    for (u64 set = load(mask); set; set &= set - 1)
        count++;
    return count;
}

KFUNC(s32, bpf_cpumask_populate, (struct cpumask *mask, const void *from, u64 size))
{
    if (8 * size < bpf2native_processors())
        return -EACCES;
    if ((u64)from % 8)
        return -EINVAL;
    u64 set = 0;
    for (u64 i = 0; i < 8 && i < size; i++)
        ((u8 *)&set)[i] = ((const u8 *)from)[i];
    mask->bits[0] = set & all();
    return 0;
}
