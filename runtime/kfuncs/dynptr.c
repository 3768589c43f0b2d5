/* Dynptrs' kfuncs: adjust, clone, size, slice, copy and so on. In: struct bpf_dynptr. Out: as helpers/dynptr.c. */
#include "helpers/dynptr.h"
#include "helpers/memory.h"

KFUNC(s32, bpf_dynptr_adjust, (struct dynptr *dynptr, u32 start, u32 end))
{
    if (!dynptr->data || start > end)
        return -EINVAL;
    u32 size = dynptr_size(dynptr);
    if (start > size || end > size)
        return -ERANGE;
    dynptr->offset += start;
    dynptr->size = (dynptr->size & ~(u32)DYNPTR_MAX) | (end - start);
    return 0;
}

KFUNC(_Bool, bpf_dynptr_is_null, (const struct dynptr *dynptr)) { return !dynptr->data; }

KFUNC(_Bool, bpf_dynptr_is_rdonly, (const struct dynptr *dynptr))
{
    return dynptr->data && dynptr->size & DYNPTR_READ_ONLY;
}

KFUNC(u32, bpf_dynptr_size, (const struct dynptr *dynptr)) { return dynptr->data ? dynptr_size(dynptr) : -EINVAL; }

KFUNC(s32, bpf_dynptr_clone, (const struct dynptr *from, struct dynptr *to))
{
    if (!from->data) {
        dynptr_clear(to);
        return -EINVAL;
    }
    *to = *from;
    return 0;
}

/* Bytes of a packet are copied into `buffer`, as the kernel does it where a packet is in pieces. */
static void *slice(const struct dynptr *dynptr, u64 offset, void *buffer, u64 size)
{
    if (!dynptr->data || !dynptr_has(dynptr, offset, size))
        return NULL;
    if (dynptr_is_memory(dynptr))
        return (char *)dynptr->data + dynptr->offset + offset;
    return buffer && !bpf_dynptr_read(buffer, size, dynptr, offset, 0) ? buffer : NULL;
}

KFUNC(void *, bpf_dynptr_slice, (const struct dynptr *dynptr, u32 offset, void *buffer, u32 size))
{
    return slice(dynptr, offset, buffer, size);
}

KFUNC(void *, bpf_dynptr_slice_rdwr, (const struct dynptr *dynptr, u32 offset, void *buffer, u32 size))
{
    return dynptr->size & DYNPTR_READ_ONLY ? NULL : slice(dynptr, offset, buffer, size);
}

KFUNC(s32, bpf_dynptr_copy, (struct dynptr *to, u32 to_offset, struct dynptr *from, u32 from_offset, u32 size))
{
    if (to->data && from->data && (!dynptr_has(to, to_offset, size) || !dynptr_has(from, from_offset, size)))
        return -E2BIG;
    void *source = slice(from, from_offset, NULL, size);
    if (source)
        return bpf_dynptr_write(to, to_offset, source, size, 0);
    void *target = to->size & DYNPTR_READ_ONLY ? NULL : slice(to, to_offset, NULL, size);
    if (target)
        return bpf_dynptr_read(target, size, from, from_offset, 0);
    char piece[256];
    for (u32 done = 0; done < size;) {
        u32 some = size - done < sizeof piece ? size - done : sizeof piece;
        long error = bpf_dynptr_read(piece, some, from, from_offset + done, 0);
        if (!error)
            error = bpf_dynptr_write(to, to_offset + done, piece, some, 0);
        if (error)
            return error;
        done += some;
    }
    return size ? 0 : -EINVAL;
}

KFUNC(s32, bpf_dynptr_memset, (struct dynptr *dynptr, u32 offset, u32 size, u8 value))
{
    if (dynptr->size & DYNPTR_READ_ONLY)
        return -EINVAL;
    if (!dynptr_has(dynptr, offset, size))
        return -E2BIG;
    char piece[256];
    for (u32 i = 0; i < sizeof piece; i++)
        piece[i] = value;
    for (u32 done = 0; done < size;) {
        u32 some = size - done < sizeof piece ? size - done : sizeof piece;
        long error = bpf_dynptr_write(dynptr, offset + done, piece, some, 0);
        if (error)
            return error;
        done += some;
    }
    return 0;
}

/* Into a dynptr from an address that may not be readable; what was copied before that stays. */
static s32 read_into(struct dynptr *to, u32 offset, u32 size, const char *from, u32 as_string)
{
    char piece[256];
    if (!to->data || to->size & DYNPTR_READ_ONLY)
        return -EINVAL;
    if (!dynptr_has(to, offset, size))
        return -E2BIG;
    for (u32 done = 0; done < size;) {
        u32 some = size - done < sizeof piece ? size - done : sizeof piece;
        struct bytes known = { 0 };
        u32 ends = 0, count = 0;
        for (; count < some && !ends; count++) {
            long byte = byte_at(&known, from + done + count);
            if (byte < 0)
                return -EFAULT;
            piece[count] = byte;
            ends = as_string && !byte;
        }
        if (as_string && !ends && done + count == size)
            piece[count - 1] = 0;
        long error = bpf_dynptr_write(to, offset + done, piece, count, 0);
        if (error)
            return error;
        done += count;
        if (ends)
            return done;
    }
    return as_string ? size : 0;
}

#define READ(name, as_string) \
    KFUNC(s32, name, (struct dynptr *to, u32 offset, u32 size, const void *from)) \
    { \
        return read_into(to, offset, size, from, as_string); \
    }

READ(bpf_probe_read_user_dynptr, 0)
READ(bpf_probe_read_kernel_dynptr, 0)
READ(bpf_copy_from_user_dynptr, 0)
READ(bpf_probe_read_user_str_dynptr, 1)
READ(bpf_probe_read_kernel_str_dynptr, 1)
READ(bpf_copy_from_user_str_dynptr, 1)
