/* Values printed by their types: what bpf_snprintf_btf and bpf_seq_printf_btf have in common. */
#ifndef BPF2NATIVE_RUNTIME_SHOW_H
#define BPF2NATIVE_RUNTIME_SHOW_H

#include "helpers/types.h"

/* What is printed, and how: BTF_F_* of the kernel's include/uapi/linux/bpf.h. */
enum show_flag { SHOW_COMPACT = 1, SHOW_NONAME = 2, SHOW_PTR_RAW = 4, SHOW_ZERO = 8 };

/* The kernel reads values in pieces of so many bytes. */
enum { SAFE_SIZE = 32 };

/* Where text goes: at most `size` bytes with the 0 at the end, which is written after each piece. */
struct text_buffer {
    char *start;
    u64 size;
    u64 length; /* of all, also of what did not fit; without the 0 */
};

/* Where in a value printing is (struct btf_show of the kernel's kernel/bpf/btf.c). */
struct show {
    struct text_buffer *out;
    const struct types *types;
    u64 flags;
    /* The value that is printed: `head`, of `size` bytes; of these, the bytes from `data` on are in `safe`. */
    const char *head;
    const char *data;
    u64 size;
    u32 depth;         /* how many arrays and structs it is in */
    u32 depth_to_show; /* the deepest that was not zero */
    u32 depth_check;   /* not 0: nothing is printed, only looked for what is not zero, from this depth on */
    u32 type_id;       /* the type as it was named, typedefs included */
    u32 kind;          /* of the type behind typedefs; KIND_VOID if there is none */
    long status;       /* 0, or a negative error */
    const struct part *member;
    u8 array_member;     /* the value is an element: its type is not named again */
    u8 array_of_chars;
    u8 array_terminated; /* characters have ended */
    /* With zeros behind it, for bit-fields that reach out of their types. */
    char safe[SAFE_SIZE + 64];
};

/* Adds text to the end. */
static inline void put(struct text_buffer *out, const char *text)
{
    for (; *text; text++, out->length++)
        if (out->length + 1 < out->size)
            out->start[out->length] = *text;
    if (out->size)
        out->start[out->length < out->size ? out->length : out->size - 1] = 0;
}

/* Prints what is before a value: its member's name and its type's, and how an aggregate begins. */
extern void bpf2native_rt_show_name(const struct show *show);

static inline void piece(struct show *show, const char *text)
{
    if (!show->depth_check)
        put(show->out, text);
}

static inline void indent(struct show *show)
{
    for (u32 i = 0; i < show->depth && i < 32 && !(show->flags & SHOW_COMPACT); i++)
        piece(show, " ");
}

static inline void name(struct show *show)
{
    if (!show->depth_check)
        bpf2native_rt_show_name(show);
}

static inline void line_end(struct show *show) { piece(show, show->flags & SHOW_COMPACT ? "" : "\n"); }

static inline void delimiter(struct show *show)
{
    if (!show->depth)
        return;
    piece(show, show->flags & SHOW_COMPACT && show->kind == KIND_UNION ? "|" : ",");
}

/* Prints an INT, a PTR or an enum, of whose bytes `first` bits are not its own. */
extern void bpf2native_rt_show_scalar(struct show *show, const struct type *type, const char *bytes, u32 first);

/* Prints `count` bits of what is at `bytes`, from a bit on that is counted as the machine's bit-fields are. */
extern void bpf2native_rt_show_bits(struct show *show, const char *bytes, u32 first, u32 count);

/* The type behind qualifiers, and, unless `qualifiers_only`, typedefs. */
static inline u32 behind(const struct types *types, u32 id, u32 qualifiers_only)
{
    for (u32 i = 0; i < 64 && id < types->count; i++) {
        const struct type *type = &types->types[id];
        u32 is_typedef = type->kind == KIND_TYPEDEF;
        if (!(is_typedef ? !qualifiers_only
                         : type->kind == KIND_VOLATILE || type->kind == KIND_CONST || type->kind == KIND_RESTRICT ||
                               type->kind == KIND_TYPE_TAG))
            return id;
        id = type->of;
    }
    return 0;
}

#endif
