/* Maps of the kernel half, for the user half's helpers: bpf(2)'s commands, by libbpf. In: descriptors whose operations are
   bpf_map_ops_kernel, and the loaded object. Out: what helpers return. The rules:

   | call | here |
   |---|---|
   | look-up | the value itself where the map can be mapped (arrays with BPF_F_MMAPABLE), else one of 64 copies, each used again 64 look-ups later; nobody writes them back |
   | look-up, update and for_each of per-CPU maps | the values of all processors, each rounded up to 8 bytes |
   | push, pop, peek | as bpf(2) has them, without a key |
   | before the kernel half is loaded | nothing is found, and the rest is -EBADF |
   | bpf_ringbuf_output, bpf_perf_event_output | there is no room: they are for the kernel half |

   A bound descriptor has type 0, so that readers of rings do not take its state for one. */
#include "maps/ring.h"
#include "script/script.h"

extern struct map *bpf_maps_first;

_Static_assert(sizeof(struct ring) <= sizeof(((struct kernel_map *)0)->no_ring), "it begins as a struct ring");

static struct kernel_map *kernel(const struct map *map) { return map->state; }

static char *copy_of(struct kernel_map *map) {
    char *copies = __atomic_load_n(&map->copies, __ATOMIC_ACQUIRE);
    if (unlikely(!copies)) {
        char *made = calloc(MAP_COPIES, round8(map->stride));
        if (!made) return NULL;
        copies = __sync_val_compare_and_swap(&map->copies, NULL, made);
        if (copies) free(made);
        else copies = made;
    }
    /* Sequentially consistent: of a relaxed one, clang 22 drops the result. */
    u32 index = __sync_fetch_and_add(&map->next_copy, 1) % MAP_COPIES;
    return copies + index * round8(map->stride);
}

static void *lookup(struct map *map, const void *key) {
    struct kernel_map *of = kernel(map);
    if (of->mapped) {
        u32 index = *(const u32 *)key;
        return index < of->max_entries ? of->mapped + index * round8(of->value_size) : NULL;
    }
    char *copy = copy_of(of);
    return copy && !bpf_map_lookup_elem_flags(of->fd, key, copy, 0) ? copy : NULL;
}

static void *lookup_percpu(struct map *map, const void *key, u32 processor) {
    struct kernel_map *of = kernel(map);
    char *values = processor < of->processors ? lookup(map, key) : NULL;
    return values ? values + processor * round8(of->value_size) : NULL;
}

static long update(struct map *map, const void *key, const void *value, u64 flags) {
    return libbpf_map_update(kernel(map)->fd, key, value, flags);
}

static long remove(struct map *map, const void *key) { return bpf_map_delete_elem_flags(kernel(map)->fd, key, 0); }

static long next_key(struct map *map, const void *key, void *next) {
    return bpf_map_get_next_key(kernel(map)->fd, key, next);
}

static long push(struct map *map, const void *value, u64 flags) { return update(map, NULL, value, flags); }

static long pop(struct map *map, void *value) {
    return bpf_map_lookup_and_delete_elem_flags(kernel(map)->fd, NULL, value, 0);
}

/* A bloom filter is asked for a value, which stays as it is. */
static long peek(struct map *map, void *value) { return bpf_map_lookup_elem_flags(kernel(map)->fd, NULL, value, 0); }

static long user_lookup(struct map *map, const void *key, void *value, u64 flags) {
    return bpf_map_lookup_elem_flags(kernel(map)->fd, key, value, flags);
}

static long user_take(struct map *map, const void *key, void *value, u64 flags) {
    return bpf_map_lookup_and_delete_elem_flags(kernel(map)->fd, key, value, flags);
}

static long create(struct map *map) { return -EBADF; }

weak const struct map_ops bpf_map_ops_kernel = {
    .lookup = lookup, .update = update, .remove = remove, .next_key = next_key, .push = push, .pop = pop, .peek = peek,
    .for_each = bpf2native_rt_script_each, .user_lookup = user_lookup, .user_take = user_take, .create = create,
    .lookup_percpu = lookup_percpu,
};

static int is_percpu(u32 type) {
    return type == MAP_TYPE_PERCPU_HASH || type == MAP_TYPE_PERCPU_ARRAY || type == MAP_TYPE_LRU_PERCPU_HASH ||
           type == MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

/* The values of an array that can be mapped; for reading only if it may only be read. */
static char *map_values(const struct kernel_map *map, u32 flags) {
    if (map->type != MAP_TYPE_ARRAY || !(flags & MAP_FLAG_MMAPABLE)) return NULL;
    u64 page = getpagesize(), size = round8(map->value_size) * map->max_entries;
    size = (size + page - 1) / page * page;
    int protection = flags & BPF_F_RDONLY ? PROT_READ : PROT_READ | PROT_WRITE;
    void *mapped = bpf2native_call(mmap, NULL, size, protection, MAP_SHARED, map->fd, 0l);
    return mapped == NOT_MAPPED ? NULL : mapped;
}

static struct kernel_map *open_map(const struct bpf_map *map) {
    struct kernel_map *opened = calloc(1, sizeof *opened);
    if (!opened) return NULL;
    opened->fd = bpf_map__fd(map);
    opened->type = bpf_map__type(map);
    opened->key_size = bpf_map__key_size(map);
    opened->stride = opened->value_size = bpf_map__value_size(map);
    opened->max_entries = bpf_map__max_entries(map);
    if (is_percpu(opened->type)) {
        int processors = libbpf_num_possible_cpus();
        opened->processors = processors > 0 ? processors : 1;
        opened->stride = round8(opened->value_size) * opened->processors;
    }
    opened->mapped = map_values(opened, bpf_map__map_flags(map));
    return opened;
}

weak void bpf2native_rt_script_bind(struct bpf_object *object) {
    for (struct map *map = bpf_maps_first; map; map = map->next) {
        if (map->ops != &bpf_map_ops_kernel) continue;
        const struct bpf_map *of = bpf_object__find_map_by_name(object, map->name);
        if (!of || bpf_map__fd(of) < 0) continue;
        map->state = open_map(of);
        map->type = 0;
        map->error = -ENOMEM;
        __atomic_store_n(&map->ready, map->state ? MAP_READY : MAP_FAILED, __ATOMIC_RELEASE);
    }
}

API(int, bpf2native_map_fd, (void *of)) {
    struct map *map = of;
    if (map->ops != &bpf_map_ops_kernel || map->ready != MAP_READY) return -EBADF;
    return kernel(map)->fd;
}
