/* BPF_MAP_TYPE_QUEUE and _STACK: a ring of values, taken from its tail or from its head. */
#include "maps/common.h"

struct queue {
    u32 word;  /* its lock */
    u32 first; /* the oldest */
    u32 count;
    char values[];
};

static void *at(const struct map *map, struct queue *queue, u64 index) {
    return queue->values + (queue->first + index) % map->max_entries * map->value_size;
}

static long create(struct map *map) {
    u32 known = BPF_F_NUMA_NODE | BPF_F_ACCESS_MASK;
    if (map->key_size || !map->value_size || !map->max_entries || map->flags & ~known) return -EINVAL;
    if (map->value_size > ALLOCATION_MAX) return -E2BIG;
    map->state = calloc(1, sizeof(struct queue) + (u64)map->max_entries * map->value_size);
    return map->state ? 0 : -ENOMEM;
}

static void destroy(struct map *map) {
    free(map->state);
    map->state = NULL;
}

/* BPF_EXIST: a full one loses its oldest value. */
static long push(struct map *map, const void *value, u64 flags) {
    struct queue *queue = map->state;
    if (flags & BPF_NOEXIST || flags > BPF_EXIST) return -EINVAL;
    lock(&queue->word);
    long error = 0;
    if (queue->count == map->max_entries) {
        if (flags & BPF_EXIST) {
            queue->first = (queue->first + 1ul) % map->max_entries;
            queue->count--;
        } else {
            error = -E2BIG;
        }
    }
    if (!error) memcpy(at(map, queue, queue->count++), value, map->value_size);
    unlock(&queue->word);
    return error;
}

/* The value of an empty one is zero. */
static long get(struct map *map, void *value, int newest, int keep) {
    struct queue *queue = map->state;
    long error = 0;
    lock(&queue->word);
    if (queue->count) {
        memcpy(value, at(map, queue, newest ? queue->count - 1 : 0), map->value_size);
        if (!keep && !newest) queue->first = (queue->first + 1ul) % map->max_entries;
        if (!keep) queue->count--;
    } else {
        memset(value, 0, map->value_size);
        error = -ENOENT;
    }
    unlock(&queue->word);
    return error;
}

static long queue_pop(struct map *map, void *value) { return get(map, value, 0, 0); }
static long queue_peek(struct map *map, void *value) { return get(map, value, 0, 1); }
static long stack_pop(struct map *map, void *value) { return get(map, value, 1, 0); }
static long stack_peek(struct map *map, void *value) { return get(map, value, 1, 1); }

/* There are no keys. bpf(2)'s look-up and update are a peek and a push. */
static long queue_user_lookup(struct map *map, const void *key, void *value, u64 flags) {
    return queue_peek(map, value);
}

static long stack_user_lookup(struct map *map, const void *key, void *value, u64 flags) {
    return stack_peek(map, value);
}

static long queue_user_take(struct map *map, const void *key, void *value, u64 flags) {
    return flags ? -EINVAL : queue_pop(map, value);
}

static long stack_user_take(struct map *map, const void *key, void *value, u64 flags) {
    return flags ? -EINVAL : stack_pop(map, value);
}

static long user_update(struct map *map, const void *key, const void *value, u64 flags) {
    return push(map, value, flags);
}

static long update(struct map *map, const void *key, const void *value, u64 flags) { return -EINVAL; }
static long remove(struct map *map, const void *key) { return -EINVAL; }
static long next_key(struct map *map, const void *key, void *next) { return -EINVAL; }

weak const struct map_ops bpf_map_ops_queue = {
    .lookup = bpf2native_rt_map_no_lookup, .update = update, .remove = remove, .next_key = next_key,
    .push = push, .pop = queue_pop, .peek = queue_peek,
    .user_lookup = queue_user_lookup, .user_update = user_update, .user_take = queue_user_take,
    .create = create, .destroy = destroy,
};

weak const struct map_ops bpf_map_ops_stack = {
    .lookup = bpf2native_rt_map_no_lookup, .update = update, .remove = remove, .next_key = next_key,
    .push = push, .pop = stack_pop, .peek = stack_peek,
    .user_lookup = stack_user_lookup, .user_update = user_update, .user_take = stack_user_take,
    .create = create, .destroy = destroy,
};
