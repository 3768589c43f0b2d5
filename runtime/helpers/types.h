/* Types at run time, which the translator makes of BTF (src/parse/type_tables.rs) for programs that print values by them. */
#ifndef BPF2NATIVE_RUNTIME_TYPES_H
#define BPF2NATIVE_RUNTIME_TYPES_H

#include "runtime.h"

/* BTF_KIND_* of the kernel's include/uapi/linux/btf.h. */
enum type_kind { KIND_VOID, KIND_INT, KIND_PTR, KIND_ARRAY, KIND_STRUCT, KIND_UNION, KIND_ENUM, KIND_FWD, KIND_TYPEDEF,
                 KIND_VOLATILE, KIND_CONST, KIND_RESTRICT, KIND_FUNC, KIND_FUNC_PROTO, KIND_VAR, KIND_DATASEC, KIND_FLOAT,
                 KIND_DECL_TAG, KIND_TYPE_TAG, KIND_ENUM64 };

struct type {
    u32 name;      /* offset in `text`; 0 of what has no name */
    u32 kind;      /* enum type_kind */
    u32 of;        /* the type that it is made of: of pointers, arrays, typedefs, qualifiers */
    u32 size;      /* of a value, in bytes */
    u32 count;     /* of elements, members, enumerators */
    u32 first;     /* the first of its `parts` */
    u8 bits;       /* INT: bits of the value, */
    u8 bit_offset; /* and where they begin */
    u8 is_signed;  /* INT, ENUM, ENUM64 */
    u8 unused;
};

/* A member or an enumerator. */
struct part {
    u32 name;
    u32 of;   /* the member's type; the lower half of the enumerator's value */
    u32 at;   /* where the member is, in bits; the upper half of the enumerator's value */
    u32 bits; /* of a bit-field; 0 of what is none */
};

struct types {
    const struct type *types; /* by number; the first is void */
    const struct part *parts;
    const char *text;         /* names, each with a 0 at its end */
    u64 count;                /* of types */
};

/* NULL if there are none. */
extern const struct types *bpf2native_rt_types;

#endif
