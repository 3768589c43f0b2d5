/* Fields of values that are not plain bytes: locks, timers, pointers that own what they point to, lists and trees. An update
   leaves them alone, and a value that dies ends them, as the kernel's bpf_obj_free_fields does. */
#include "maps/common.h"

/* What ends a field of a kind, if the program has that part of the runtime (helpers/timer.h, kfuncs/object.h). */
extern void bpf2native_rt_free_timer(void *timer) weak;
extern void bpf2native_rt_free_work(void *wq) weak;
extern void bpf2native_rt_free_kptr(void *object) weak;

weak void bpf2native_rt_map_copy_around_fields(struct map *map, void *to, const void *from) {
    u32 done = 0;
    for (u32 i = 0; i < map->field_count; i++) {
        const struct map_field *field = &map->fields[i];
        memcpy((char *)to + done, (const char *)from + done, field->offset - done);
        done = field->offset + field->size;
    }
    memcpy((char *)to + done, (const char *)from + done, map->value_size - done);
}

weak void bpf2native_rt_map_copy_locked(struct map *map, void *to, const void *from, void *locked) {
    u32 *word = NULL;
    for (u32 i = 0; i < map->field_count; i++)
        if (map->fields[i].kind == FIELD_SPIN_LOCK) word = (u32 *)((char *)locked + map->fields[i].offset);
    lock(word);
    bpf2native_rt_map_copy_around_fields(map, to, from);
    unlock(word);
}

/* Objects in lists and trees stay: where in them their nodes are is not known here. */
static void free_field(const struct map_field *field, void *at) {
    switch (field->kind) {
    case FIELD_TIMER:
        if (bpf2native_rt_free_timer) bpf2native_rt_free_timer(at);
        break;
    case FIELD_WORK_QUEUE:
        if (bpf2native_rt_free_work) bpf2native_rt_free_work(at);
        break;
    case FIELD_KPTR: {
        void *object = (void *)__sync_lock_test_and_set((u64 *)at, 0);
        if (object && bpf2native_rt_free_kptr) bpf2native_rt_free_kptr(object);
        break;
    }
    case FIELD_LIST_HEAD:
    case FIELD_RB_ROOT:
        break;
    default: /* It holds nothing; a lock may be held by another. */
        return;
    }
    memset(at, 0, field->size);
}

weak void bpf2native_rt_map_free_fields(struct map *map, void *value) {
    for (u32 i = 0; i < map->field_count; i++) free_field(&map->fields[i], (char *)value + map->fields[i].offset);
}

weak void bpf2native_rt_map_clear_fields(struct map *map, void *value) {
    for (u32 i = 0; i < map->field_count; i++)
        memset((char *)value + map->fields[i].offset, 0, map->fields[i].size);
}
