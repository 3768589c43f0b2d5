/* Objects: bpf_obj_new, bpf_obj_drop, bpf_refcount_acquire. In: a type's id in the object file, to which the translator
   adds its size in the upper 32 bits (src/parse/btf.rs), since there are no types at run time. Out: memory of zeros,
   counted by what is before it. The rule: memory comes from calloc; lists and trees inside are not emptied, and pointers
   inside not followed, when an object goes away. */
#include "kfuncs/object.h"

KFUNC(void *, bpf_obj_new_impl, (u64 type, void *types))
{
    u64 size = type >> 32;
    struct object *object = size ? calloc(1, sizeof *object + size) : NULL;
    if (!object)
        return NULL;
    object->size = size;
    object->references = 1;
    return object + 1;
}

weak void bpf_obj_drop_impl(void *pointer, void *types)
{
    struct object *object = (struct object *)pointer - 1;
    if (__sync_fetch_and_sub(&object->references, 1) == 1)
        free(object);
}

/* 0 if it is none of these; where the program has any. */
extern u32 bpf2native_rt_free_percpu(void *object) weak;

weak void bpf2native_rt_free_kptr(void *object)
{
    if (!bpf2native_rt_free_percpu || !bpf2native_rt_free_percpu(object))
        bpf_obj_drop_impl(object, NULL);
}

KFUNC(void *, bpf_refcount_acquire_impl, (void *pointer, void *types))
{
    struct object *object = (struct object *)pointer - 1;
    __sync_fetch_and_add(&object->references, 1);
    return pointer;
}
