/* BPF_MAP_TYPE_SK_STORAGE, _INODE_STORAGE, _TASK_STORAGE and _CGRP_STORAGE: values that belong to an object of the kernel; here,
   to an address. Keys, of bpf2native_map_lookup and the like too, are these addresses and not descriptors. */
#include "maps/hash.h"

enum { BPF_LOCAL_STORAGE_GET_F_CREATE = 1 };

/* The kernel has no bound of its own, since the objects have one. */
enum { OWNERS = 1 << 16 };

static long create(struct map *map) {
    u32 known = BPF_F_NO_PREALLOC | BPF_F_CLONE;
    if (map->flags & ~known || !(map->flags & BPF_F_NO_PREALLOC) || map->max_entries || map->key_size != 4 ||
        !map->value_size)
        return -EINVAL;
    if (map->value_size > STORAGE_VALUE_MAX) return -E2BIG;
    map->state = bpf2native_rt_hash_create(map, sizeof(u64), map->value_size, OWNERS, 1);
    return map->state ? 0 : -ENOMEM;
}

static void destroy(struct map *map) {
    bpf2native_rt_hash_destroy(map->state);
    map->state = NULL;
}

static void *find(struct map *map, const u64 *owner) {
    struct hash_table *table = map->state;
    struct hash_element *element = hash_find_sized(table, owner, sizeof *owner);
    return element ? hash_value(table, element, 0) : NULL;
}

static void *lookup(struct map *map, const void *key) { return find(map, key); }

static long user_lookup(struct map *map, const void *key, void *value, u64 flags) {
    struct hash_table *table = map->state;
    struct hash_element *element = hash_find(table, key);
    if (!element) return -ENOENT;
    bpf2native_rt_hash_copy(table, element, value, flags);
    return 0;
}

static long update(struct map *map, const void *key, const void *value, u64 flags) {
    if ((flags & ~(u64)BPF_F_LOCK) > BPF_EXIST) return -EINVAL;
    if (flags & BPF_F_LOCK && !has_lock(map)) return -EINVAL;
    return bpf2native_rt_hash_update(map->state, key, value, flags, VALUE_ONE);
}

static long remove(struct map *map, const void *key) { return bpf2native_rt_hash_remove(map->state, key, NULL); }

static long next_key(struct map *map, const void *key, void *next) { return -ENOTSUPP; }

#define STORAGE(type) \
    weak const struct map_ops bpf_map_ops_##type = { \
        .lookup = lookup, .update = update, .remove = remove, .next_key = next_key, .user_lookup = user_lookup, \
        .create = create, .destroy = destroy, \
    }

STORAGE(sk_storage);
STORAGE(inode_storage);
STORAGE(task_storage);
STORAGE(cgrp_storage);

/* The owner's value; where it has none and `flags` say so, a new one: a copy of `value`, or zeros. */
static void *get(struct map *map, const void *owner, const void *value, u64 flags) {
    u64 key = (u64)owner;
    if (!owner || flags & ~(u64)BPF_LOCAL_STORAGE_GET_F_CREATE || map_ready(map)) return NULL;
    void *found = find(map, &key);
    if (found || !flags) return found;
    /* If another thread makes one at the same time, that is it. */
    bpf2native_rt_hash_update(map->state, &key, value, BPF_NOEXIST, VALUE_ONE);
    return find(map, &key);
}

static long take_away(struct map *map, const void *owner) {
    u64 key = (u64)owner;
    if (!owner) return -EINVAL;
    long error = map_ready(map);
    return error ? error : remove(map, &key);
}

#define GET(type) \
    HELPER(void *, type##_get, (struct map *map, const void *owner, const void *value, u64 flags)) { \
        return get(map, owner, value, flags); \
    } \
    HELPER(long, type##_delete, (struct map *map, const void *owner)) { return take_away(map, owner); }

GET(sk_storage)
GET(inode_storage)
GET(task_storage)
GET(cgrp_storage)
