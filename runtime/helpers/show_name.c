/* What bpf_snprintf_btf prints before a value: `.member = (struct type *)`, as btf_show_name of the kernel's kernel/bpf/btf.c.
   In: a member, or the number of a type as it was named. Out: text, of which the kernel keeps 79 bytes. */
#include "helpers/show.h"

/* The most pointers, arrays and typedefs that are followed; what has more is not named. */
enum { MOST_STEPS = 10, NAME_SIZE = 80 };

/* What the name of a type is made of. */
struct name {
    const char *prefix;
    const char *text; /* NULL as long as it is not known */
    u32 pointers;
    u32 arrays;
    u32 is_typedef;
};

/* The number of the type at the end of pointers, arrays and typedefs; whether there are not too many. */
static u32 follow(const struct types *types, u32 *id, struct name *name)
{
    for (u32 i = 0; i < MOST_STEPS; i++) {
        const struct type *type = &types->types[*id];
        if (type->kind == KIND_TYPEDEF) {
            if (!name->text)
                name->text = types->text + type->name;
            name->is_typedef = 1;
        } else if (type->kind == KIND_ARRAY) {
            name->arrays++;
        } else if (type->kind == KIND_PTR) {
            name->pointers++;
        } else {
            return 1;
        }
        /* What is of type void keeps its own type. */
        if (!type->of)
            return 1;
        *id = behind(types, type->of, 1);
    }
    return 0;
}

static const char *prefix_of(u32 kind)
{
    switch (kind) {
    case KIND_STRUCT: return "struct";
    case KIND_UNION: return "union";
    case KIND_ENUM:
    case KIND_ENUM64: return "enum";
    default: return "";
    }
}

/* How a struct or an array begins; a pointer to one does not. */
static const char *opening(const struct name *name, u32 kind)
{
    if (name->pointers)
        return "";
    if (name->arrays)
        return "[";
    return kind == KIND_STRUCT || kind == KIND_UNION ? "{" : "";
}

weak void bpf2native_rt_show_name(const struct show *show)
{
    const struct types *types = show->types;
    const struct part *member = show->member;
    struct name name = { "", NULL, 0, 0, 0 };
    u32 id = member ? member->of : show->type_id;
    if (show->array_member || id >= types->count || !follow(types, &id, &name))
        return;
    const struct type *type = &types->types[id];
    if (!name.text)
        name.text = types->text + type->name;
    if (!name.is_typedef)
        name.prefix = prefix_of(type->kind);
    char text[NAME_SIZE];
    struct text_buffer buffer = { text, sizeof text, 0 };
    put(&buffer, "");
    if (!(show->flags & SHOW_NONAME)) {
        if (member && types->text[member->name]) {
            put(&buffer, ".");
            put(&buffer, types->text + member->name);
            put(&buffer, " = ");
        }
        put(&buffer, "(");
        put(&buffer, name.prefix);
        put(&buffer, *name.prefix && *name.text ? " " : "");
        put(&buffer, name.text);
        put(&buffer, name.pointers ? " " : "");
        for (u32 i = 0; i < name.pointers; i++)
            put(&buffer, "*");
        for (u32 i = 0; i < name.arrays; i++)
            put(&buffer, "[]");
        put(&buffer, ")");
    }
    put(&buffer, opening(&name, type->kind));
    put(show->out, text);
}
