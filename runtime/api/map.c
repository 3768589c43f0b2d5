/* A test's and an embedder's side of maps: the commands of bpf(2), with its checks. */
#include "maps/common.h"
#include "bpf2native_runtime.h"

API(u32, bpf2native_processors, (void)) { return PROCESSORS; }

/* What every command looks at first: that the map is there, is not closed by `closed`, and has a key if there is one. */
static long begin(struct map *map, const void *key, u32 closed) {
    long error = map_ready(map);
    if (error) return error;
    if (map->flags & closed) return -EPERM;
    return !map->key_size && key ? -EINVAL : 0;
}

/* `value` as a program would see it, if the type has no other way. */
static long copy_out(struct map *map, const void *key, void *value, u64 flags) {
    void *from = map->ops->lookup ? map->ops->lookup(map, key) : NULL;
    if (!from) return map->ops->lookup ? -ENOENT : -EOPNOTSUPP;
    copy_value_by(map, value, from, from, flags);
    clear_fields(map, value);
    return 0;
}

API(long, bpf2native_map_lookup, (void *of, const void *key, void *value, u64 flags)) {
    struct map *map = of;
    if (flags & ~(u64)BPF_F_LOCK) return -EINVAL;
    long error = begin(map, key, BPF_F_WRONLY);
    if (error) return error;
    if (flags & BPF_F_LOCK && !has_lock(map)) return -EINVAL;
    return map->ops->user_lookup ? map->ops->user_lookup(map, key, value, flags) : copy_out(map, key, value, flags);
}

API(long, bpf2native_map_update, (void *of, const void *key, const void *value, u64 flags)) {
    struct map *map = of;
    long error = begin(map, NULL, BPF_F_RDONLY);
    if (error) return error;
    if (flags & BPF_F_LOCK && !has_lock(map)) return -EINVAL;
    if (!map->key_size && key) return -EINVAL;
    long (*update)(struct map *, const void *, const void *, u64) = map->ops->user_update;
    if (!update) update = map->ops->update;
    return update ? update(map, key, value, flags) : -EOPNOTSUPP;
}

API(long, bpf2native_map_delete, (void *of, const void *key)) {
    struct map *map = of;
    long error = begin(map, key, BPF_F_RDONLY);
    if (error) return error;
    return map->ops->remove ? map->ops->remove(map, key) : -EOPNOTSUPP;
}

API(long, bpf2native_map_next_key, (void *of, const void *key, void *next)) {
    struct map *map = of;
    long error = begin(map, key, BPF_F_WRONLY);
    if (error) return error;
    return map->ops->next_key ? map->ops->next_key(map, key, next) : -EOPNOTSUPP;
}

API(long, bpf2native_map_take, (void *of, const void *key, void *value, u64 flags)) {
    struct map *map = of;
    if (flags & ~(u64)BPF_F_LOCK) return -EINVAL;
    long error = begin(map, key, BPF_F_RDONLY | BPF_F_WRONLY);
    if (error) return error;
    if (flags & BPF_F_LOCK && !has_lock(map)) return -EINVAL;
    return map->ops->user_take ? map->ops->user_take(map, key, value, flags) : -ENOTSUPP;
}

API(void, bpf2native_map_reset, (void *of)) {
    struct map *map = of;
    if (map->ready == MAP_READY && map->ops->destroy) map->ops->destroy(map);
    __atomic_store_n(&map->ready, MAP_NEW, __ATOMIC_RELEASE);
}
