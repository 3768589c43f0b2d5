/* Linked lists of objects: bpf_list_push_front, pop_front and so on. In: struct bpf_list_head, of zeros at first, and
   struct bpf_list_node inside objects. Out: nodes. The rule: laid out as in the kernel, circular through the head; a node
   knows the list that it is in, and is in one at most. */
#include "kfuncs/object.h"

struct list_link {
    struct list_link *next;
    struct list_link *previous;
};

struct bpf_list_node {
    struct list_link link;
    struct list_link *owner; /* the list's head; BUSY while it is put in */
};

#define BUSY ((struct list_link *)1)

static s32 push(struct list_link *head, struct bpf_list_node *node, u32 at_end, u64 offset)
{
    if (!head->next)
        head->next = head->previous = head;
    if (__sync_val_compare_and_swap((u64 *)&node->owner, 0, (u64)BUSY)) {
        bpf_obj_drop_impl((char *)node - offset, NULL);
        return -EINVAL;
    }
    struct list_link *before = at_end ? head->previous : head, *after = before->next;
    node->link.next = after;
    node->link.previous = before;
    before->next = after->previous = &node->link;
    node->owner = head;
    return 0;
}

static struct bpf_list_node *pop(struct list_link *head, u32 at_end)
{
    if (!head->next || head->next == head)
        return NULL;
    struct list_link *link = at_end ? head->previous : head->next;
    struct bpf_list_node *node = container_of(link, struct bpf_list_node, link);
    link->next->previous = link->previous;
    link->previous->next = link->next;
    link->next = link->previous = link;
    node->owner = NULL;
    return node;
}

KFUNC(s32, bpf_list_push_front_impl, (struct list_link *head, struct bpf_list_node *node, void *types, u64 offset))
{
    return push(head, node, 0, offset);
}

KFUNC(s32, bpf_list_push_back_impl, (struct list_link *head, struct bpf_list_node *node, void *types, u64 offset))
{
    return push(head, node, 1, offset);
}

KFUNC(struct bpf_list_node *, bpf_list_pop_front, (struct list_link *head)) { return pop(head, 0); }

KFUNC(struct bpf_list_node *, bpf_list_pop_back, (struct list_link *head)) { return pop(head, 1); }

KFUNC(struct bpf_list_node *, bpf_list_front, (struct list_link *head))
{
    return head->next && head->next != head ? (struct bpf_list_node *)head->next : NULL;
}

KFUNC(struct bpf_list_node *, bpf_list_back, (struct list_link *head))
{
    return head->next && head->next != head ? (struct bpf_list_node *)head->previous : NULL;
}
