/* What the map types share: flags, libc's functions, spin locks, per-CPU values, and values with fields of their own kind.
   The kernel's names and numbers (include/uapi/linux/bpf.h). */
#ifndef BPF2NATIVE_RUNTIME_MAPS_COMMON_H
#define BPF2NATIVE_RUNTIME_MAPS_COMMON_H

#include "maps/ready.h"

/* Of an update. */
enum { BPF_ANY, BPF_NOEXIST, BPF_EXIST, BPF_F_LOCK = 4 };

/* Of a map. */
enum {
    BPF_F_NO_PREALLOC = 1 << 0,
    BPF_F_NO_COMMON_LRU = 1 << 1,
    BPF_F_NUMA_NODE = 1 << 2,
    BPF_F_RDONLY = 1 << 3,
    BPF_F_WRONLY = 1 << 4,
    BPF_F_STACK_BUILD_ID = 1 << 5,
    BPF_F_ZERO_SEED = 1 << 6,
    BPF_F_RDONLY_PROG = 1 << 7,
    BPF_F_WRONLY_PROG = 1 << 8,
    BPF_F_CLONE = 1 << 9,
    BPF_F_MMAPABLE = 1 << 10,
    BPF_F_PRESERVE_ELEMS = 1 << 11,
    BPF_F_INNER_MAP = 1 << 12,
    BPF_F_SEGV_ON_FAULT = 1 << 17,
    BPF_F_NO_USER_CONV = 1 << 18,
    BPF_F_ACCESS_MASK = BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG,
};

/* Of helpers that take a processor's index. */
#define BPF_F_INDEX_MASK 0xfffffffful
#define BPF_F_CURRENT_CPU BPF_F_INDEX_MASK

enum { PAGE = 4096 };

void *calloc(u64 count, u64 size);
void free(void *memory);
void *memcpy(void *to, const void *from, u64 size);
void *memset(void *to, int byte, u64 size);
int memcmp(const void *a, const void *b, u64 size);

static inline u64 round8(u64 size) { return (size + 7) & ~7ul; }

static inline int is_power_of_two(u64 n) { return n && !(n & (n - 1)); }

/* The least power of two that is not below `n`, which is at most 1 << 63. */
static inline u64 power_of_two(u64 n) {
    u64 power = 1;
    while (power < n) power <<= 1;
    return power;
}

/* Locks of 4 bytes: `struct bpf_spin_lock` in values, and the runtime's own. Threads may be more than processors, so one
   that waits gives its processor to the others. */
static inline void lock(u32 *word) {
    while (!__sync_bool_compare_and_swap(word, 0, 1)) sched_yield();
}

static inline void unlock(u32 *word) { __atomic_store_n(word, 0, __ATOMIC_RELEASE); }

/* Words that other threads change: read and written once, whole. What is read through an address follows its load on
   every machine here. */
#define read_once(place) (*(const volatile __typeof__(place) *)&(place))

/* Per-CPU maps have this many values: a number of its own, so that tests do not depend on the machine. */
enum { PROCESSORS = 4 };

u64 bpf_get_smp_processor_id(void) __asm__("bpf_helper_get_smp_processor_id");

/* The processor that programs believe to run on, as an index of per-CPU values: one that there is, even if an embedder's
   helper names another. */
static inline u32 this_processor(void) {
    u32 processor = bpf_get_smp_processor_id();
    return processor < PROCESSORS ? processor : 0;
}

/* The largest value that the kernel has for each processor (PCPU_MIN_UNIT_SIZE), the largest of storages
   (BPF_LOCAL_STORAGE_MAX_VALUE_SIZE), and the largest of its allocations (KMALLOC_MAX_SIZE), of x86-64. */
enum { PERCPU_VALUE_MAX = 32 << 10, STORAGE_VALUE_MAX = 65407, ALLOCATION_MAX = 4 << 20 };

/* Values with fields (maps/fields.c). */

/* Copies a value without its fields of a special kind: they belong to programs. */
void bpf2native_rt_map_copy_around_fields(struct map *map, void *to, const void *from);
/* The same under the lock in `locked`, which is `to` or `from`. */
void bpf2native_rt_map_copy_locked(struct map *map, void *to, const void *from, void *locked);
/* Ends what the special fields of a value hold: it died, or was updated. Locks stay as they are. */
void bpf2native_rt_map_free_fields(struct map *map, void *value);
/* Makes the special fields of a new value or of a copy zero. */
void bpf2native_rt_map_clear_fields(struct map *map, void *value);

static inline void copy_value(struct map *map, void *to, const void *from) {
    if (map->field_count) bpf2native_rt_map_copy_around_fields(map, to, from);
    else memcpy(to, from, map->value_size);
}

static inline void free_fields(struct map *map, void *value) {
    if (map->field_count) bpf2native_rt_map_free_fields(map, value);
}

static inline void clear_fields(struct map *map, void *value) {
    if (map->field_count) bpf2native_rt_map_clear_fields(map, value);
}

/* Whether values have a lock, as BPF_F_LOCK wants. */
static inline int has_lock(const struct map *map) {
    for (u32 i = 0; i < map->field_count; i++)
        if (map->fields[i].kind == FIELD_SPIN_LOCK) return 1;
    return 0;
}

/* A copy that another thread's copy under BPF_F_LOCK does not mix with, if `flags` ask for that. */
static inline void copy_value_by(struct map *map, void *to, const void *from, void *locked, u64 flags) {
    if (flags & BPF_F_LOCK) bpf2native_rt_map_copy_locked(map, to, from, locked);
    else copy_value(map, to, from);
}

/* What helper 164 is given. The verifier wants results of 0 and 1, so a native function that returns int will do. */
typedef int (*map_callback)(struct map *map, const void *key, void *value, void *context);

/* Functions of more than one type. */
void *bpf2native_rt_map_no_lookup(struct map *map, const void *key);
long bpf2native_rt_map_next_index(struct map *map, const void *key, void *next);

#endif
