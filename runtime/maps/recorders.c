/* Arrays of where packets and sockets may go: BPF_MAP_TYPE_DEVMAP, _CPUMAP, _XSKMAP, _SOCKMAP, _REUSEPORT_SOCKARRAY. There are
   no devices and no sockets here, so any number names one; they keep what they are told, and a redirection by one of them
   is recorded. */
#include "maps/common.h"

/* An element: the value as it was given, of 4 or 8 bytes. */
struct target {
    u64 value;
    u32 present;
    u32 unused;
};

enum { QUEUE_MAX = 16384, CPUS_MAX = 8192 };

static struct target *at(const struct map *map, const void *key) {
    return (struct target *)map->state + *(const u32 *)key;
}

static int within(const struct map *map, const void *key) { return *(const u32 *)key < map->max_entries; }

static long create_with(struct map *map, u32 flags, u32 largest) {
    if (!map->max_entries || map->key_size != 4 || map->flags & ~flags) return -EINVAL;
    if (map->value_size != 4 && map->value_size != largest) return -EINVAL;
    map->state = calloc(map->max_entries, sizeof(struct target));
    return map->state ? 0 : -ENOMEM;
}

enum { TARGET_FLAGS = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY };

/* Programs only read a devmap, and may say so. */
static long create_devmap(struct map *map) {
    return create_with(map, TARGET_FLAGS | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG, 8);
}

static long create_cpumap(struct map *map) {
    if (map->max_entries > CPUS_MAX) return -E2BIG;
    return create_with(map, BPF_F_NUMA_NODE, 8);
}

static long create_xskmap(struct map *map) { return create_with(map, TARGET_FLAGS, 4); }
static long create_sockets(struct map *map) { return create_with(map, TARGET_FLAGS, 8); }

static void destroy(struct map *map) {
    free(map->state);
    map->state = NULL;
}

static void *lookup(struct map *map, const void *key) {
    return within(map, key) && read_once(at(map, key)->present) ? &at(map, key)->value : NULL;
}

/* The first 4 bytes of a value are what it is about; 0 is no device, and no queue. */
static u32 number(const void *value) { return *(const u32 *)value; }

static void set(struct map *map, const void *key, const void *value, u32 present) {
    struct target *target = at(map, key);
    if (present) memcpy(&target->value, value, map->value_size);
    __atomic_store_n(&target->present, present, __ATOMIC_RELEASE);
}

static long may_update(const struct map *map, const void *key, u64 flags) {
    if (flags > BPF_EXIST) return -EINVAL;
    return within(map, key) ? 0 : -E2BIG;
}

static long update_devmap(struct map *map, const void *key, const void *value, u64 flags) {
    long error = may_update(map, key, flags);
    if (error) return error;
    if (flags == BPF_NOEXIST) return -EEXIST;
    /* No device, but a program for it. */
    if (!number(value) && map->value_size == 8 && ((const s32 *)value)[1] > 0) return -EINVAL;
    set(map, key, value, number(value) != 0);
    return 0;
}

static long update_cpumap(struct map *map, const void *key, const void *value, u64 flags) {
    long error = may_update(map, key, flags);
    if (error) return error;
    if (flags == BPF_NOEXIST) return -EEXIST;
    if (number(value) > QUEUE_MAX) return -EOVERFLOW;
    if (*(const u32 *)key >= PROCESSORS) return -ENODEV;
    set(map, key, value, number(value) != 0);
    return 0;
}

static long update_sockets(struct map *map, const void *key, const void *value, u64 flags) {
    long error = may_update(map, key, flags);
    if (error) return error;
    u32 present = at(map, key)->present;
    if (present && flags == BPF_NOEXIST) return -EEXIST;
    if (!present && flags == BPF_EXIST) return -ENOENT;
    set(map, key, value, 1);
    return 0;
}

static long remove(struct map *map, const void *key) {
    if (!within(map, key)) return -EINVAL;
    set(map, key, NULL, 0);
    return 0;
}

static long remove_socket(struct map *map, const void *key) {
    if (!within(map, key)) return -EINVAL;
    return __sync_lock_test_and_set(&at(map, key)->present, 0) ? 0 : -EINVAL;
}

static long remove_reuseport(struct map *map, const void *key) {
    if (!within(map, key)) return -E2BIG;
    return __sync_lock_test_and_set(&at(map, key)->present, 0) ? 0 : -ENOENT;
}

weak const struct map_ops bpf_map_ops_devmap = {
    .lookup = lookup, .update = update_devmap, .remove = remove, .next_key = bpf2native_rt_map_next_index,
    .create = create_devmap, .destroy = destroy,
};

weak const struct map_ops bpf_map_ops_cpumap = {
    .lookup = lookup, .update = update_cpumap, .remove = remove, .next_key = bpf2native_rt_map_next_index,
    .create = create_cpumap, .destroy = destroy,
};

weak const struct map_ops bpf_map_ops_xskmap = {
    .lookup = lookup, .update = update_sockets, .remove = remove, .next_key = bpf2native_rt_map_next_index,
    .create = create_xskmap, .destroy = destroy,
};

weak const struct map_ops bpf_map_ops_sockmap = {
    .lookup = lookup, .update = update_sockets, .remove = remove_socket, .next_key = bpf2native_rt_map_next_index,
    .create = create_sockets, .destroy = destroy,
};

weak const struct map_ops bpf_map_ops_reuseport_sockarray = {
    .lookup = lookup, .update = update_sockets, .remove = remove_reuseport,
    .next_key = bpf2native_rt_map_next_index, .create = create_sockets, .destroy = destroy,
};
