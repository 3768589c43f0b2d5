/* Objects of which each processor has one: bpf_percpu_obj_new and drop, bpf_per_cpu_ptr and this_cpu_ptr. In: a type's
   id with its size (kfuncs/object.c). Out: the address of processor 0's, which stands for all. The rule: as in the kernel,
   those of the other processors lie AREA bytes apart each, so that an address says what it is; addresses outside are
   those of ordinary variables, of which there is one. */
#include "bpf2native.h"
#include "maps/common.h"

extern void *mmap(void *address, u64 size, int protection, int flags, int file, s64 offset);
extern u32 bpf2native_processors(void);

enum { AREA = 1 << 20, LARGEST = 512, CLASSES = 6, SMALLEST = 16 };
enum { PROT_READ_WRITE = 3, MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x4022 };

/* What is before an object; and where one is free, the next of its size. */
struct header {
    u64 class;
};

struct unused {
    struct unused *next;
};

static u32 lock_word;
static char *area;
static u64 used;                        /* bytes of the area that were given out */
static struct unused *unused[CLASSES]; /* by size: 16, 32 ... 512 bytes */

static u32 class_of(u64 size)
{
    u32 class = 0;
    while ((u64)SMALLEST << class < size)
        class++;
    return class;
}

static char *allocate(u32 class)
{
    if (!area) {
        u64 size = (u64)AREA * bpf2native_processors();
        char *made = bpf2native_call(mmap, (void *)NULL, size, (int)PROT_READ_WRITE,
                                     (int)MAP_PRIVATE_ANONYMOUS_NORESERVE, -1, 0l);
        if (made == (char *)-1)
            return NULL;
        area = made;
    }
    if (unused[class]) {
        char *found = (char *)unused[class];
        unused[class] = unused[class]->next;
        return found;
    }
    u64 size = SMALLEST << class;
    if (AREA - used < size)
        return NULL;
    used += size;
    return area + used - size;
}

KFUNC(void *, bpf_percpu_obj_new_impl, (u64 type, void *types))
{
    u64 size = (type >> 32) + sizeof(struct header);
    if (size == sizeof(struct header) || size > LARGEST)
        return NULL;
    u32 class = class_of(size);
    lock(&lock_word);
    char *start = allocate(class);
    unlock(&lock_word);
    if (!start)
        return NULL;
    for (u32 i = 0; i < bpf2native_processors(); i++)
        memset(start + (u64)AREA * i, 0, SMALLEST << class);
    struct header *header = (struct header *)start;
    header->class = class;
    return header + 1;
}

KFUNC(void, bpf_percpu_obj_drop_impl, (void *object, void *types))
{
    struct header *header = (struct header *)object - 1;
    u64 class = header->class;
    struct unused *free = (struct unused *)header;
    lock(&lock_word);
    free->next = unused[class];
    unused[class] = free;
    unlock(&lock_word);
}

/* Whether it is one of these objects, and not an ordinary variable. */
static u32 is_percpu(const void *pointer) { return area && (u64)((char *)pointer - area) < AREA; }

/* What kfuncs/object.c asks of a pointer that a map owned. */
weak u32 bpf2native_rt_free_percpu(void *object)
{
    if (!is_percpu(object))
        return 0;
    bpf_percpu_obj_drop_impl(object, NULL);
    return 1;
}

HELPER(void *, per_cpu_ptr, (void *pointer, u32 processor))
{
    if (processor >= bpf2native_processors())
        return NULL;
    return is_percpu(pointer) ? (char *)pointer + (u64)AREA * processor : pointer;
}

HELPER(void *, this_cpu_ptr, (void *pointer))
{
    return is_percpu(pointer) ? (char *)pointer + (u64)AREA * this_processor() : pointer;
}
