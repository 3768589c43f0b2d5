/* Red-black trees of objects: bpf_rbtree_add, remove, first, root, left, right. In: struct bpf_rb_root, of zeros at first,
   and struct bpf_rb_node inside objects; a comparison of the program's. Out: nodes. The rule: the same trees as in the
   kernel, whose programs may look at them (Cormen and others, chapter 13; a removed node's place is taken by its
   successor); fields lie as there. A node knows the tree that it is in, and is in one at most. */
#include "kfuncs/object.h"

enum { RED = 0, BLACK = 1 };

struct bpf_rb_node {
    u64 parent_color; /* the parent, and the color in bit 0 */
    struct bpf_rb_node *right;
    struct bpf_rb_node *left;
    struct bpf_rb_root *owner; /* BUSY while it is put in */
};

struct bpf_rb_root {
    struct bpf_rb_node *node;
    struct bpf_rb_node *leftmost;
};

#define BUSY 1

typedef u64 (*comparison)(struct bpf_rb_node *, const struct bpf_rb_node *);

static struct bpf_rb_node *parent_of(const struct bpf_rb_node *node)
{
    return (struct bpf_rb_node *)(node->parent_color & ~1ul);
}

static u32 is_red(const struct bpf_rb_node *node) { return node && (node->parent_color & 1) == RED; }

static void set_parent(struct bpf_rb_node *node, struct bpf_rb_node *parent)
{
    node->parent_color = (u64)parent | (node->parent_color & 1);
}

static void set_color(struct bpf_rb_node *node, u64 color)
{
    node->parent_color = (node->parent_color & ~1ul) | color;
}

/* Puts `new` (or nothing) where `old` is below its parent. */
static void replace(struct bpf_rb_root *root, struct bpf_rb_node *old, struct bpf_rb_node *new)
{
    struct bpf_rb_node *parent = parent_of(old);
    if (!parent)
        root->node = new;
    else if (parent->left == old)
        parent->left = new;
    else
        parent->right = new;
    if (new)
        set_parent(new, parent);
}

/* A child takes the place of `node`, which goes down on the other side. */
static void rotate(struct bpf_rb_root *root, struct bpf_rb_node *node, u32 to_left)
{
    struct bpf_rb_node *child = to_left ? node->right : node->left;
    struct bpf_rb_node *middle = to_left ? child->left : child->right;
    replace(root, node, child);
    if (to_left)
        node->right = middle, child->left = node;
    else
        node->left = middle, child->right = node;
    if (middle)
        set_parent(middle, node);
    set_parent(node, child);
}

static void balance_added(struct bpf_rb_root *root, struct bpf_rb_node *node)
{
    struct bpf_rb_node *parent;
    while ((parent = parent_of(node)) && is_red(parent)) {
        struct bpf_rb_node *grandparent = parent_of(parent);
        u32 on_left = grandparent->left == parent;
        struct bpf_rb_node *uncle = on_left ? grandparent->right : grandparent->left;
        if (is_red(uncle)) {
            set_color(parent, BLACK);
            set_color(uncle, BLACK);
            set_color(grandparent, RED);
            node = grandparent;
            continue;
        }
        if (node == (on_left ? parent->right : parent->left)) {
            rotate(root, parent, on_left);
            parent = node;
        }
        set_color(parent, BLACK);
        set_color(grandparent, RED);
        rotate(root, grandparent, !on_left);
        break;
    }
    set_color(root->node, BLACK);
}

/* A path through `node` (which may be none, below `parent`) has one black node too few. */
static void balance_removed(struct bpf_rb_root *root, struct bpf_rb_node *node, struct bpf_rb_node *parent)
{
    while (parent && !is_red(node)) {
        u32 on_left = parent->left == node;
        struct bpf_rb_node *sibling = on_left ? parent->right : parent->left;
        if (is_red(sibling)) {
            set_color(sibling, BLACK);
            set_color(parent, RED);
            rotate(root, parent, on_left);
            sibling = on_left ? parent->right : parent->left;
        }
        struct bpf_rb_node *near = on_left ? sibling->left : sibling->right;
        struct bpf_rb_node *far = on_left ? sibling->right : sibling->left;
        if (!is_red(near) && !is_red(far)) {
            set_color(sibling, RED);
            node = parent;
            parent = parent_of(node);
            continue;
        }
        if (!is_red(far)) {
            set_color(near, BLACK);
            set_color(sibling, RED);
            rotate(root, sibling, !on_left);
            far = sibling;
            sibling = near;
        }
        set_color(sibling, is_red(parent) ? RED : BLACK);
        set_color(parent, BLACK);
        set_color(far, BLACK);
        rotate(root, parent, on_left);
        return;
    }
    if (node)
        set_color(node, BLACK);
}

static struct bpf_rb_node *next_of(struct bpf_rb_node *node)
{
    if (node->right) {
        for (node = node->right; node->left; node = node->left)
            ;
        return node;
    }
    struct bpf_rb_node *parent = parent_of(node);
    for (; parent && parent->right == node; parent = parent_of(node))
        node = parent;
    return parent;
}

static void erase(struct bpf_rb_root *root, struct bpf_rb_node *node)
{
    if (root->leftmost == node)
        root->leftmost = next_of(node);
    if (!node->left || !node->right) {
        struct bpf_rb_node *child = node->left ? node->left : node->right, *parent = parent_of(node);
        u32 was_red = is_red(node);
        replace(root, node, child);
        if (!was_red)
            balance_removed(root, child, parent);
        return;
    }
    struct bpf_rb_node *successor = next_of(node), *child = successor->right, *parent = parent_of(successor);
    u32 was_red = is_red(successor);
    if (parent == node) {
        parent = successor;
    } else {
        replace(root, successor, child);
        successor->right = node->right;
        set_parent(successor->right, successor);
    }
    replace(root, node, successor);
    successor->left = node->left;
    set_parent(successor->left, successor);
    set_color(successor, is_red(node) ? RED : BLACK);
    if (!was_red)
        balance_removed(root, child, parent);
}

KFUNC(s32, bpf_rbtree_add_impl,
      (struct bpf_rb_root *root, struct bpf_rb_node *node, comparison less, void *types, u64 offset))
{
    if (__sync_val_compare_and_swap((u64 *)&node->owner, 0, BUSY)) {
        bpf_obj_drop_impl((char *)node - offset, NULL);
        return -EINVAL;
    }
    struct bpf_rb_node **link = &root->node, *parent = NULL;
    u32 leftmost = 1;
    while (*link) {
        parent = *link;
        u32 is_less = less(node, parent) != 0;
        link = is_less ? &parent->left : &parent->right;
        leftmost &= is_less;
    }
    node->parent_color = (u64)parent | RED;
    node->left = node->right = NULL;
    *link = node;
    if (leftmost)
        root->leftmost = node;
    balance_added(root, node);
    node->owner = root;
    return 0;
}

KFUNC(struct bpf_rb_node *, bpf_rbtree_remove, (struct bpf_rb_root *root, struct bpf_rb_node *node))
{
    if (node->owner != root)
        return NULL;
    erase(root, node);
    node->parent_color = 0;
    node->left = node->right = NULL;
    node->owner = NULL;
    return node;
}

KFUNC(struct bpf_rb_node *, bpf_rbtree_first, (struct bpf_rb_root *root)) { return root->leftmost; }

KFUNC(struct bpf_rb_node *, bpf_rbtree_root, (struct bpf_rb_root *root)) { return root->node; }

KFUNC(struct bpf_rb_node *, bpf_rbtree_left, (struct bpf_rb_root *root, struct bpf_rb_node *node))
{
    return node->owner == root ? node->left : NULL;
}

KFUNC(struct bpf_rb_node *, bpf_rbtree_right, (struct bpf_rb_root *root, struct bpf_rb_node *node))
{
    return node->owner == root ? node->right : NULL;
}
