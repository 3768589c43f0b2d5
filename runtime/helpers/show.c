/* Values printed by their types: bpf_snprintf_btf and bpf_seq_printf_btf. In: a struct btf_ptr with the number of one of the
   types that the translator gives (src/parse/type_tables.rs). Out: text, as btf_type_show of the kernel's kernel/bpf/btf.c
   makes it, its oddities included: elements that are pointers or arrays are all shown as the first one, and enumerators of
   value 0 are never left out.

   The rule: members and elements that are zero are left out (SHOW_ZERO: not); a struct or an array is gone through twice, first to
   see whether it has any others. Memory is read in pieces of 32 bytes, and what is not there is -EFAULT; how much of the value has
   then been printed is as in the kernel. Types that hold themselves, which BTF may say, are not followed without end. */
#include "helpers/memory.h"
#include "helpers/seq.h"
#include "helpers/show.h"

enum { FLAGS = SHOW_COMPACT | SHOW_NONAME | SHOW_PTR_RAW | SHOW_ZERO };

/* The kernel's steps to the size of a type, and the bytes that the largest value without parts has. */
enum { MOST_STEPS = 32, BASE_SIZE = 16 };

/* More structs and arrays in each other make no sense. */
enum { MOST_DEEP = 64 };

weak const struct types *bpf2native_rt_types;

/* struct btf_ptr of the kernel's include/uapi/linux/bpf.h. */
struct btf_ptr {
    void *ptr;
    u32 type_id;
    u32 flags;
};

/* The bytes of a value of this type, or -EINVAL. */
static s64 size_of(const struct types *types, u32 id)
{
    u64 count = 1;
    for (u32 i = 0; i < MOST_STEPS && id < types->count; i++) {
        const struct type *type = &types->types[id];
        switch (type->kind) {
        case KIND_INT:
        case KIND_STRUCT:
        case KIND_UNION:
        case KIND_ENUM:
        case KIND_FLOAT:
        case KIND_ENUM64:
        case KIND_PTR: return count * type->size >> 32 ? -EINVAL : (s64)(count * type->size);
        case KIND_ARRAY:
            count *= type->count;
            if (count >> 32)
                return -EINVAL;
            break;
        case KIND_TYPEDEF:
        case KIND_VOLATILE:
        case KIND_CONST:
        case KIND_RESTRICT:
        case KIND_TYPE_TAG: break;
        default: return -EINVAL;
        }
        id = type->of;
    }
    return -EINVAL;
}

/* Begins with a value: where its bytes are, in `safe`, or NULL. */
static const char *start_type(struct show *show, u32 type, u32 id, const char *data)
{
    show->kind = show->types->types[type].kind;
    show->type_id = id;
    s64 size = size_of(show->types, type);
    if (size < 0) {
        show->status = size;
        return NULL;
    }
    if (!show->depth) {
        show->head = data;
        show->size = size;
    } else {
        u64 wanted = size < BASE_SIZE ? size : BASE_SIZE;
        if (data >= show->data && data + wanted < show->data + SAFE_SIZE)
            return show->safe + (data - show->data);
    }
    u64 left = (u64)(show->head + show->size - data);
    show->status = bpf2native_rt_read(show->safe, left < SAFE_SIZE ? left : SAFE_SIZE, data);
    if (show->status)
        return NULL;
    show->data = data;
    return show->safe;
}

static void end_type(struct show *show)
{
    show->kind = KIND_VOID;
    show->type_id = 0;
}

/* Begins with a struct or an array; whether its first bytes are there. */
static u32 start_aggregate(struct show *show, u32 type, u32 id, const char *data)
{
    if (!start_type(show, type, id, data))
        return 0;
    indent(show);
    name(show);
    line_end(show);
    show->depth++;
    return 1;
}

static void end_aggregate(struct show *show, const char *closing)
{
    show->depth--;
    indent(show);
    piece(show, closing);
    delimiter(show);
    line_end(show);
    end_type(show);
}

static void show_type(struct show *show, u32 id, const char *data, u32 bits);

static void show_members(struct show *show, u32 type, u32 id, const char *data)
{
    const struct type *of = &show->types->types[type];
    if (!start_aggregate(show, type, id, data))
        return;
    for (u32 i = 0; i < of->count; i++) {
        const struct part *member = &show->types->parts[of->first + i];
        const char *at = data + member->at / 8;
        show->member = member;
        if (member->bits) {
            const char *bytes = start_type(show, member->of, member->of, at);
            if (bytes)
                bpf2native_rt_show_bits(show, bytes, member->at % 8, member->bits);
            end_type(show);
        } else {
            show_type(show, member->of, at, member->at % 8);
        }
        show->member = NULL;
    }
    end_aggregate(show, "}");
}

static void show_elements(struct show *show, u32 type, u32 id, const char *data)
{
    const struct types *types = show->types;
    const struct type *of = &types->types[type];
    const struct type *element = &types->types[behind(types, of->of, 0)];
    /* The kernel knows the sizes of these only. */
    u64 size = element->kind == KIND_PTR || element->kind == KIND_ARRAY ? 0 : element->size;
    show->array_of_chars = element->kind == KIND_INT && size == 1;
    show->array_terminated = 0;
    if (!start_aggregate(show, type, id, data))
        return;
    for (u32 i = 0; i < of->count && !show->array_terminated; i++) {
        show->array_member = 1;
        show->member = NULL;
        show_type(show, of->of, data + i * size, 0);
        show->array_member = 0;
        show->member = NULL;
    }
    show->array_of_chars = 0;
    show->array_terminated = 0;
    end_aggregate(show, "]");
}

static void show_parts(struct show *show, u32 type, u32 id, const char *data)
{
    if (show->types->types[type].kind == KIND_ARRAY)
        show_elements(show, type, id, data);
    else
        show_members(show, type, id, data);
}

/* A struct, union or array, if anything in it is not zero. */
static void show_aggregate(struct show *show, u32 type, u32 id, const char *data)
{
    const struct part *member = show->member;
    if (show->depth && !(show->flags & SHOW_ZERO)) {
        if (!show->depth_check) {
            show->depth_check = show->depth + 1;
            show->depth_to_show = 0;
        }
        show_parts(show, type, id, data);
        show->member = member;
        /* It was being looked for already. */
        if (show->depth_check != show->depth + 1)
            return;
        show->depth_check = 0;
        if (show->depth_to_show <= show->depth)
            return;
    }
    show_parts(show, type, id, data);
}

static void show_unsupported(struct show *show, u32 kind)
{
    char text[] = { (char)('0' + kind / 10 % 10), (char)('0' + kind % 10), 0 };
    piece(show, "<unsupported kind:");
    piece(show, kind < 10 ? text + 1 : text);
    piece(show, ">");
}

/* A value of type `id`, whose first bit is in the byte at `data`. */
static never_inline void show_type(struct show *show, u32 id, const char *data, u32 bits)
{
    u32 type = behind(show->types, id, 0);
    const struct type *of = &show->types->types[type];
    const char *bytes;
    switch (of->kind) {
    case KIND_ARRAY:
    case KIND_STRUCT:
    case KIND_UNION:
        if (show->depth < MOST_DEEP)
            show_aggregate(show, type, id, data);
        else
            show->status = -EINVAL;
        return;
    case KIND_INT:
    case KIND_PTR:
    case KIND_ENUM:
    case KIND_ENUM64: break;
    case KIND_VAR:
    case KIND_DATASEC: show->status = -EINVAL; return;
    default: show_unsupported(show, of->kind); return;
    }
    bytes = start_type(show, type, id, data);
    if (!bytes)
        return;
    bpf2native_rt_show_scalar(show, of, bytes, bits);
    end_type(show);
}

/* Prints a value: 0, or a negative error. */
static long show_value(struct text_buffer *out, const struct btf_ptr *pointer, u32 size, u64 flags)
{
    const struct types *types = bpf2native_rt_types;
    if (flags & ~(u64)FLAGS || size != sizeof *pointer || !types || !pointer->type_id)
        return -EINVAL;
    if ((s32)pointer->type_id < 0 || pointer->type_id >= types->count)
        return -ENOENT;
    struct show show;
    __builtin_memset(&show, 0, sizeof show);
    show.out = out;
    show.types = types;
    show.flags = flags;
    show_type(&show, pointer->type_id, pointer->ptr, 0);
    return show.status;
}

/* The length without the 0 at the end, also of what did not fit. */
HELPER(long, snprintf_btf, (char *to, u32 to_size, const struct btf_ptr *pointer, u32 size, u64 flags))
{
    struct text_buffer out = { to, to_size, 0 };
    long error = show_value(&out, pointer, size, flags);
    return error ? error : (long)out.length;
}

/* That it did not fit only bpf_seq_printf and bpf_seq_write say. */
HELPER(long, seq_printf_btf, (struct seq_file *file, const struct btf_ptr *pointer, u32 size, u64 flags))
{
    u64 left = file->count < file->size ? file->size - file->count : 0;
    struct text_buffer out = { file->buf + file->count, left, 0 };
    long error = show_value(&out, pointer, size, flags);
    file->count = out.length < left ? file->count + out.length : file->size;
    return error;
}
