/* BPF_MAP_TYPE_LPM_TRIE: the longest prefix that a key begins with. A binary trie without chains of single children: inner
   nodes have two, and nodes with a value any number. Look-ups take no lock: a node that is changed is replaced, and what was
   taken out is used again only by later insertions, as the pool's last. */
#include "maps/common.h"

struct lpm_key {
    u32 length; /* of the prefix, in bits */
    u8 data[];  /* big-endian */
};

struct node {
    struct node *child[2];
    struct node *spare; /* in the pool */
    u32 length;
    u32 inner;  /* without a value */
    u8 data[];  /* the key's, rounded up to 8 bytes; the value follows */
};

struct trie {
    struct node *root;
    struct node *first_spare, *last_spare;
    char *nodes;
    u64 stride;
    u64 touched; /* nodes that were ever used: the first ones */
    u32 word;    /* the writers' lock */
    u32 live;    /* nodes with a value */
    u32 bits;    /* of the longest prefix */
    u32 bytes;   /* the same */
};

enum { KEY_MIN = 5, KEY_MAX = 4 + 256, VALUE_MAX = ALLOCATION_MAX - 280 };

static void *value_of(const struct trie *trie, struct node *node) { return node->data + round8(trie->bytes); }

static long create(struct map *map) {
    u32 known = BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | BPF_F_ACCESS_MASK;
    if (!map->max_entries || !(map->flags & BPF_F_NO_PREALLOC) || map->flags & ~known || map->key_size < KEY_MIN ||
        map->key_size > KEY_MAX || !map->value_size || map->value_size > VALUE_MAX)
        return -EINVAL;
    struct trie *trie = calloc(1, sizeof *trie);
    if (!trie) return -ENOMEM;
    trie->bytes = map->key_size - 4;
    trie->bits = trie->bytes * 8;
    trie->stride = sizeof(struct node) + round8(trie->bytes) + round8(map->value_size);
    /* Inner nodes are fewer than those with a value; two are between states of an insertion. */
    trie->nodes = calloc(2ul * map->max_entries + 2, trie->stride);
    if (!trie->nodes) {
        free(trie);
        return -ENOMEM;
    }
    map->state = trie;
    return 0;
}

static void destroy(struct map *map) {
    struct trie *trie = map->state;
    free(trie->nodes);
    free(trie);
    map->state = NULL;
}

/* With the lock. There is always one: see `create`. */
static struct node *take(struct map *map, struct trie *trie) {
    struct node *node = trie->first_spare;
    if (trie->touched < 2ul * map->max_entries + 2) {
        node = (struct node *)(trie->nodes + trie->touched++ * trie->stride);
    } else {
        trie->first_spare = node->spare;
        if (!trie->first_spare) trie->last_spare = NULL;
    }
    node->spare = NULL;
    return node;
}

/* With the lock. */
static void give(struct map *map, struct trie *trie, struct node *node) {
    if (!node->inner) free_fields(map, value_of(trie, node));
    if (trie->last_spare) trie->last_spare->spare = node;
    else trie->first_spare = node;
    trie->last_spare = node;
}

static void publish(struct node **place, struct node *node) {
    __atomic_store_n((u64 *)place, (u64)node, __ATOMIC_RELEASE);
}

static u32 bit_at(const u8 *data, u32 index) { return data[index / 8] >> (7 - index % 8) & 1; }

/* How many bits of `key` and of the node's prefix are the same. */
static u32 common(const struct node *node, const struct lpm_key *key) {
    u32 limit = node->length < key->length ? node->length : key->length, same = 0;
    for (u32 i = 0; same < limit; i++, same += 8) {
        u32 differing = node->data[i] ^ key->data[i];
        if (!differing) continue;
        same += __builtin_clz(differing) - 24;
        break;
    }
    return same < limit ? same : limit;
}

static void *lookup(struct map *map, const void *of) {
    struct trie *trie = map->state;
    const struct lpm_key *key = of;
    struct node *found = NULL, *node = read_once(trie->root);
    if (key->length > trie->bits) return NULL;
    while (node) {
        u32 same = common(node, key);
        if (same < node->length) break;
        if (!node->inner) found = node;
        if (same == trie->bits || same == key->length) break;
        node = read_once(node->child[bit_at(key->data, node->length)]);
    }
    return found ? value_of(trie, found) : NULL;
}

/* Where the key's node is, or would be; `*same` bits of it are common to the node that is there. */
static struct node **place_of(struct trie *trie, const struct lpm_key *key, u32 *same) {
    struct node **place = &trie->root;
    for (*same = 0; *place; place = &(*place)->child[bit_at(key->data, (*place)->length)]) {
        *same = common(*place, key);
        if ((*place)->length != *same || (*place)->length == key->length) break;
    }
    return place;
}

/* Whether another node with a value may come: it does, if so. */
static long add(struct map *map, struct trie *trie, u64 flags) {
    if (flags == BPF_EXIST) return -ENOENT;
    if (trie->live == map->max_entries) return -ENOSPC;
    trie->live++;
    return 0;
}

static struct node *leaf(struct map *map, struct trie *trie, const struct lpm_key *key, const void *value) {
    struct node *node = take(map, trie);
    node->child[0] = node->child[1] = NULL;
    node->length = key->length;
    node->inner = 0;
    memcpy(node->data, key->data, trie->bytes);
    copy_value(map, value_of(trie, node), value);
    clear_fields(map, value_of(trie, node));
    return node;
}

/* Puts `node` beside or above the one that is there. */
static void branch(struct map *map, struct trie *trie, struct node **place, struct node *node, u32 same) {
    struct node *there = *place;
    if (node->length == same) {
        node->child[bit_at(there->data, same)] = there;
        publish(place, node);
        return;
    }
    struct node *inner = take(map, trie);
    u32 bit = bit_at(node->data, same);
    inner->length = same;
    inner->inner = 1;
    memcpy(inner->data, there->data, trie->bytes);
    inner->child[bit] = node;
    inner->child[!bit] = there;
    publish(place, inner);
}

static long update_locked(struct map *map, struct trie *trie, const struct lpm_key *key, const void *value, u64 flags) {
    u32 same;
    struct node **place = place_of(trie, key, &same), *there = *place;
    int replaces = there && there->length == same && same == key->length;
    if (replaces && !there->inner) {
        if (flags == BPF_NOEXIST) return -EEXIST;
    } else {
        long error = add(map, trie, flags);
        if (error) return error;
    }
    struct node *node = leaf(map, trie, key, value);
    if (there && !replaces) {
        branch(map, trie, place, node, same);
        return 0;
    }
    if (there) {
        node->child[0] = there->child[0];
        node->child[1] = there->child[1];
    }
    publish(place, node);
    if (there) give(map, trie, there);
    return 0;
}

static long update(struct map *map, const void *of, const void *value, u64 flags) {
    struct trie *trie = map->state;
    const struct lpm_key *key = of;
    if (flags > BPF_EXIST || key->length > trie->bits) return -EINVAL;
    lock(&trie->word);
    long error = update_locked(map, trie, key, value, flags);
    unlock(&trie->word);
    return error;
}

/* Takes out the node at `place`, whose parent is at `above` (NULL: the root). An inner node with one child goes too. */
static void take_out(struct map *map, struct trie *trie, struct node **above, struct node **place) {
    struct node *node = *place, *parent = above ? *above : NULL;
    trie->live--;
    if (node->child[0] && node->child[1]) {
        /* It stays as an inner node; a new one, for those who hold the value. */
        struct node *inner = take(map, trie);
        memcpy(inner->data, node->data, trie->bytes);
        inner->length = node->length;
        inner->inner = 1;
        inner->child[0] = node->child[0];
        inner->child[1] = node->child[1];
        publish(place, inner);
    } else if (parent && parent->inner && !node->child[0] && !node->child[1]) {
        publish(above, parent->child[place == &parent->child[0]]);
        give(map, trie, parent);
    } else {
        publish(place, node->child[0] ? node->child[0] : node->child[1]);
    }
    give(map, trie, node);
}

static long remove(struct map *map, const void *of) {
    struct trie *trie = map->state;
    const struct lpm_key *key = of;
    long error = -ENOENT;
    if (key->length > trie->bits) return -EINVAL;
    lock(&trie->word);
    struct node **above = NULL, **place = &trie->root;
    while (*place && common(*place, key) == (*place)->length && (*place)->length != key->length) {
        above = place;
        place = &(*place)->child[bit_at(key->data, (*place)->length)];
    }
    if (*place && (*place)->length == key->length && common(*place, key) == key->length && !(*place)->inner) {
        take_out(map, trie, above, place);
        error = 0;
    }
    unlock(&trie->word);
    return error;
}

/* The first in the order of look-ups by length: children before their parent. */
static struct node *first_below(struct node *node) {
    struct node *first = NULL;
    while (node) {
        if (!node->inner) first = node;
        struct node *child = node->child[0];
        if (!child && !node->inner) child = node->child[1];
        node = child;
    }
    return first;
}

/* The node after the key's, in postorder, of those on the way from `node`; NULL if it is the last there. `*found`: whether
   the key is there. */
static struct node *next_below(struct node *node, const struct lpm_key *key, int *found) {
    struct node *next = NULL;
    *found = 0;
    while (node && common(node, key) == node->length) {
        if (node->length == key->length) {
            *found = !node->inner;
            break;
        }
        u32 bit = bit_at(key->data, node->length);
        /* What comes after a subtree: its right sibling, or else its parent. Lower ones come before those further up. */
        if (!bit && node->child[1]) next = first_below(node->child[1]);
        else if (!node->inner) next = node;
        node = node->child[bit];
    }
    return next;
}

static long next_key(struct map *map, const void *of, void *to) {
    struct trie *trie = map->state;
    const struct lpm_key *key = of;
    struct lpm_key *next = to;
    int found = 0;
    lock(&trie->word);
    struct node *node = NULL;
    if (key && key->length <= trie->bits) node = next_below(trie->root, key, &found);
    if (!found) node = first_below(trie->root);
    if (node) {
        next->length = node->length;
        memcpy(next->data, node->data, trie->bytes);
    }
    unlock(&trie->word);
    return node ? 0 : -ENOENT;
}

weak const struct map_ops bpf_map_ops_lpm_trie = {
    .lookup = lookup, .update = update, .remove = remove, .next_key = next_key, .create = create, .destroy = destroy,
};
