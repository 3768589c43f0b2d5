/* What the files of the runtime share. The runtime is what a kernel gives to BPF programs beside their instructions: maps,
   helpers, kfuncs, contexts. It is C, compiled to BPF (runtime/build.sh) and merged into programs that need it, so one
   source serves every target, in memory and in objects.

   Rules for its files:
   - one topic a file; a program gets only those whose functions it calls, or whose map types it has, and of these only
     the functions that it reaches;
   - everything that others may see is weak (HELPER, KFUNC, API), the rest is static;
   - a helper's name at link level is its own (bpf_helper_X), so that no library's function of that name is ever taken for
     it, and libbpf's bpf_map_lookup_elem(fd, ...) never for a helper;
   - memory is from calloc and free, with a bound for everything; no constructors: what has to be made is made when it is
     first used, and may be used from any thread. */
#ifndef BPF2NATIVE_RUNTIME_INTERNAL_H
#define BPF2NATIVE_RUNTIME_INTERNAL_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long s64;

#define NULL ((void *)0)
#define weak __attribute__((weak))
#define forced_inline inline __attribute__((always_inline))
#define never_inline __attribute__((noinline))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define offset_of(type, member) __builtin_offsetof(type, member)
#define container_of(pointer, type, member) ((type *)((char *)(pointer) - offset_of(type, member)))

/* Errors, negative: the kernel's numbers, which are the same on all machines that BPF is translated for. */
enum { EPERM = 1, ENOENT = 2, ESRCH = 3, E2BIG = 7, EAGAIN = 11, ENOMEM = 12, EFAULT = 14, EBUSY = 16, EEXIST = 17,
       ENODEV = 19, EINVAL = 22, ENOSPC = 28, ERANGE = 34, ENOSYS = 38, EOVERFLOW = 75, EOPNOTSUPP = 95, ENOBUFS = 105,
       ENOTSUPP = 524 };

/* The function that a call of helper `name` calls (src/abi/helpers.rs has the numbers): HELPER(void *, map_lookup_elem,
   (struct map *map, const void *key)) { ... } */
#define HELPER(result, name, parameters) \
    result bpf_##name parameters __asm__("bpf_helper_" #name); \
    weak result bpf_##name parameters

/* A kfunc, which programs call by its name: KFUNC(void, bpf_rcu_read_lock, (void)) { ... } */
#define KFUNC(result, name, parameters) \
    result name parameters; \
    weak result name parameters

/* A function of include/bpf2native_runtime.h, for tests and embedders. */
#define API(result, name, parameters) \
    result name parameters; \
    weak result name parameters

struct map;

/* What a type of maps does. `lookup` to `pop` are what a program's helpers do; `user_*` is what bpf(2) does, where that is
   another thing (all values of a per-CPU map); NULL is the same as without `user_`. Results are the kernel's: 0, or a
   negative error; a NULL function is -EOPNOTSUPP. */
struct map_ops {
    void *(*lookup)(struct map *, const void *key);
    long (*update)(struct map *, const void *key, const void *value, u64 flags);
    long (*remove)(struct map *, const void *key);
    /* The key after `key` (NULL: the first), in the kernel's order; -ENOENT after the last. */
    long (*next_key)(struct map *, const void *key, void *next);
    long (*push)(struct map *, const void *value, u64 flags);
    long (*pop)(struct map *, void *value);
    long (*peek)(struct map *, void *value);
    /* Calls `callback(map, key, value, context)` for each element until it returns other than 0; how many calls. */
    long (*for_each)(struct map *, void *callback, void *context, u64 flags);
    long (*user_lookup)(struct map *, const void *key, void *value, u64 flags);
    long (*user_update)(struct map *, const void *key, const void *value, u64 flags);
    /* Look-up and removal in one (of queues it is `pop`). */
    long (*user_take)(struct map *, const void *key, void *value, u64 flags);
    /* Makes `state`; called once, before anything else. 0, or a negative error, for which every operation fails. */
    long (*create)(struct map *);
    /* Frees `state`. */
    void (*destroy)(struct map *);
    /* The value of another processor. */
    void *(*lookup_percpu)(struct map *, const void *key, u32 processor);
};

/* Fields of a map's values that operations treat in their own way, as the kernel finds them in the value's type. */
enum field_kind { FIELD_SPIN_LOCK = 1, FIELD_TIMER, FIELD_KPTR, FIELD_LIST_HEAD, FIELD_RB_ROOT, FIELD_WORK_QUEUE,
                  FIELD_LIST_NODE, FIELD_RB_NODE, FIELD_REFCOUNT };

struct map_field {
    u32 kind;   /* enum field_kind */
    u32 offset; /* in the value, in bytes */
    u32 size;   /* in bytes */
    u32 unused;
};

/* An element that a definition gives a map (`__array(values, ...) = { [2] = &inner }`): a map or a function. Of an arena: bytes of
   variables that lie in it, whose offset is the lower half of the index, and their size the upper one. */
struct map_value {
    u64 index;
    void *value;
};

/* A map. The translator makes one of each definition, at the address that the program knows the map by, and fills in all
   but the last part (src/program/maps.rs); the map's name is its symbol. Fields lie as in C on every 64-bit machine. */
struct map {
    const struct map_ops *ops;        /*   0: bpf_map_ops_<type>, such as bpf_map_ops_percpu_hash (enum bpf_map_type, small) */
    const char *name;                 /*   8: the symbol's name */
    u32 type;                         /*  16: enum bpf_map_type */
    u32 key_size;                     /*  20: in bytes */
    u32 value_size;                   /*  24: in bytes */
    u32 max_entries;                  /*  28 */
    u32 flags;                        /*  32: BPF_F_* */
    u32 numa_node;                    /*  36: as defined, of no effect */
    u64 extra;                        /*  40: map_extra */
    u32 pinning;                      /*  48: as defined (LIBBPF_PIN_BY_NAME is 1) */
    u32 field_count;                  /*  52 */
    const struct map_field *fields;   /*  56: sorted by offset; NULL if there are none */
    struct map *inner;                /*  64: what elements of a map of maps look like; NULL for other types */
    const struct map_value *values;   /*  72: initial elements, sorted by index; NULL if there are none */
    u64 value_count;                  /*  80 */
    struct map *next;                 /*  88: the program's next map, NULL after the last; the first is bpf_maps_first */
    /* Zeros in the program; the runtime's. */
    void *state;                      /*  96: what `ops` keep */
    u32 ready;                        /* 104: 0 at first, 1 while `create` runs, 2 when `state` is made, 3 when it failed */
    s32 error;                        /* 108: why it failed */
    u32 id;                           /* 112: the map's number in the program, from 1 on; 0 of what elements look like */
    u32 unused;                       /* 116 */
    u64 reserved;                     /* 120 */
};                                    /* 128 */

#endif
