/* bpf_for_each_map_elem over a map of the kernel. In: the map, a callback. Out: how many elements it was called with. The
   rule: by batches where the kernel has them for the type, else key by key; an array that is mapped needs neither. Elements that
   come or go meanwhile may be seen or not; the callback may delete the one it is called with. */
#include "maps/common.h"
#include "script/script.h"

/* Elements of a batch at first, and what more memory a batch takes at most. */
enum { BATCH = 4096, BATCH_BYTES = 64 << 20 };

struct walk {
    struct map *map;
    struct kernel_map *of;
    map_callback callback;
    void *context;
    long done;
};

/* Calls the callback; whether it wants no more. */
static int visit(struct walk *walk, const void *key, void *value) {
    walk->done++;
    return walk->callback(walk->map, key, value, walk->context) != 0;
}

static void walk_mapped(struct walk *walk) {
    for (u32 key = 0; key < walk->of->max_entries; key++) {
        u32 copy = key;
        if (visit(walk, &copy, walk->of->mapped + key * round8(walk->of->value_size))) return;
    }
}

/* Key by key. The next key is asked for before the callback, which may delete this one; that it ends at all, if keys go
   meanwhile and the kernel begins again, the number of elements says. */
static long walk_keys(struct walk *walk) {
    struct kernel_map *of = walk->of;
    char *key = calloc(2, round8(of->key_size)), *next = key + round8(of->key_size);
    char *value = calloc(1, round8(of->stride));
    long error = key && value ? bpf_map_get_next_key(of->fd, NULL, key) : -ENOMEM;
    for (u32 i = 0; !error && i < of->max_entries; i++) {
        int found = !bpf_map_lookup_elem_flags(of->fd, key, value, 0);
        error = bpf_map_get_next_key(of->fd, key, next);
        if (found && visit(walk, key, value)) break;
        memcpy(key, next, of->key_size);
    }
    free(key);
    free(value);
    return error == -ENOENT ? 0 : error;
}

/* One batch after the other; -EOPNOTSUPP if the kernel has none for this type, with nothing done. */
static long walk_batches(struct walk *walk) {
    struct kernel_map *of = walk->of;
    u64 element = of->key_size + of->stride;
    u32 size = of->max_entries < BATCH ? of->max_entries : BATCH;
    if (size * element > BATCH_BYTES) size = BATCH_BYTES / element + 1;
    /* Where the kernel goes on: of a hash 4 bytes, of others a key. */
    char *place = calloc(1, round8(of->key_size) + 8);
    char *keys = malloc(size * (u64)of->key_size), *values = malloc(size * (u64)of->stride);
    long error = 0;
    int ended = 0;
    for (u32 first = 1; !error && !ended;) {
        if (!place || !keys || !values) {
            error = -ENOMEM;
            break;
        }
        u32 count = size;
        error = bpf2native_call(bpf_map_lookup_batch, of->fd, first ? NULL : place, place, keys, values, &count, NULL);
        if (error == -ENOSPC && size < of->max_entries) {
            /* One bucket has more elements than the batch. */
            size = size > of->max_entries / 2 ? of->max_entries : size * 2;
            free(keys);
            free(values);
            keys = malloc(size * (u64)of->key_size);
            values = malloc(size * (u64)of->stride);
            error = 0;
            continue;
        }
        if (error && error != -ENOENT) break;
        first = 0;
        for (u32 i = 0; i < count && !ended; i++)
            ended = visit(walk, keys + i * (u64)of->key_size, values + i * (u64)of->stride);
    }
    free(place);
    free(keys);
    free(values);
    if (error == -ENOTSUPP || error == -EINVAL) return walk->done ? error : -EOPNOTSUPP;
    return error == -ENOENT ? 0 : error;
}

weak long bpf2native_rt_script_each(struct map *map, void *callback, void *context, u64 flags) {
    if (flags) return -EINVAL;
    struct walk walk = {map, map->state, callback, context, 0};
    if (!walk.of->key_size || !walk.of->max_entries) return -EOPNOTSUPP;
    long error = 0;
    if (walk.of->mapped) {
        walk_mapped(&walk);
    } else {
        error = walk_batches(&walk);
        if (error == -EOPNOTSUPP) error = walk_keys(&walk);
    }
    return error ? error : walk.done;
}
