/* Files and programs that are started: bpf_d_path, bpf_get_file_xattr, bpf_get_fsverity_digest, sock_from_file, bprm_opts_set,
   ima_*. In: pointers to structs of a test's, and what it says of them: paths, attributes, digests. Out: that, and what the kernel
   says of files that are no sockets and that nobody measures. The rule: a struct path, file or dentry is known by its address. */
#include "helpers/dynptr.h"
#include "maps/common.h"

enum { ENAMETOOLONG = 36, ENODATA = 61 };

/* What is known in all, and bytes of one: PATH_MAX, XATTR_SIZE_MAX. */
enum { FACTS_MAX = 4096, PATH_MAX = 4096, ATTRIBUTE_MAX = 65536, NAME_MAX = 255 };

enum fact_kind { FACT_PATH, FACT_ATTRIBUTE, FACT_DIGEST };

/* Something that a test said of an object. */
struct fact {
    struct fact *next;
    const void *object;
    u32 kind; /* enum fact_kind */
    u32 size;
    char name[NAME_MAX + 1]; /* of an attribute */
    u8 bytes[];
};

static struct fact *facts;
static u32 fact_count;

static u32 is_same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* Attributes are known by their names too. The one that was said last comes first. */
static const struct fact *find(const void *object, u32 kind, const char *name)
{
    for (const struct fact *fact = facts; fact; fact = fact->next)
        if (fact->object == object && fact->kind == kind && is_same(fact->name, name))
            return fact;
    return NULL;
}

static long say(const void *object, u32 kind, const char *name, const void *bytes, u32 size)
{
    u64 length = 0;
    while (length <= NAME_MAX && name[length])
        length++;
    if (!object || length > NAME_MAX)
        return -EINVAL;
    if (fact_count >= FACTS_MAX)
        return -ENOSPC;
    struct fact *fact = calloc(1, sizeof *fact + size);
    if (!fact)
        return -ENOMEM;
    fact->object = object;
    fact->kind = kind;
    fact->size = size;
    memcpy(fact->name, name, length);
    memcpy(fact->bytes, bytes, size);
    fact->next = facts;
    facts = fact;
    fact_count++;
    return 0;
}

API(long, bpf2native_set_path, (const void *path, const char *text))
{
    u64 length = 0;
    while (length < PATH_MAX && text[length])
        length++;
    return length == PATH_MAX ? -ENAMETOOLONG : say(path, FACT_PATH, "", text, length + 1);
}

API(long, bpf2native_set_xattr, (const void *object, const char *name, const void *value, u32 size))
{
    return size > ATTRIBUTE_MAX ? -E2BIG : say(object, FACT_ATTRIBUTE, name, value, size);
}

static s64 d_path(const void *path, char *to, u32 size)
{
    if (!size)
        return 0;
    const struct fact *fact = find(path, FACT_PATH, "");
    if (!fact)
        return -ENOENT;
    if (fact->size > size)
        return -ENAMETOOLONG;
    memcpy(to, fact->bytes, fact->size);
    return fact->size;
}

HELPER(long, d_path, (const void *path, char *to, u32 size)) { return d_path(path, to, size); }

KFUNC(s32, bpf_path_d_path, (const void *path, char *to, u64 size))
{
    return size ? d_path(path, to, size > PATH_MAX ? PATH_MAX : size) : -EINVAL;
}

/* Programs may ask for attributes of users, and of security modules that are BPF's. */
static u32 may_be_read(const char *name)
{
    const char *user = "user.", *bpf = "security.bpf.";
    u32 is_user = 1, is_bpf = 1;
    for (u32 i = 0; is_user && user[i]; i++)
        is_user = name[i] == user[i];
    for (u32 i = 0; is_bpf && bpf[i]; i++)
        is_bpf = name[i] == bpf[i];
    return is_user || is_bpf;
}

static s32 attribute(const void *object, const char *name, struct dynptr *value)
{
    if (!may_be_read(name))
        return -EPERM;
    if (!value->data || value->size & DYNPTR_READ_ONLY)
        return -EINVAL;
    const struct fact *fact = find(object, FACT_ATTRIBUTE, name);
    if (!fact)
        return -ENODATA;
    if (fact->size > dynptr_size(value))
        return -ERANGE;
    long error = bpf_dynptr_write(value, 0, fact->bytes, fact->size, 0);
    return error ? error : (s32)fact->size;
}

KFUNC(s32, bpf_get_file_xattr, (void *file, const char *name, struct dynptr *value)) { return attribute(file, name, value); }

KFUNC(s32, bpf_get_dentry_xattr, (void *dentry, const char *name, struct dynptr *value))
{
    return attribute(dentry, name, value);
}

/* As the kernel's, before the digest's bytes. */
struct fsverity_digest {
    u16 algorithm, size;
};

API(long, bpf2native_set_fsverity, (const void *file, u32 algorithm, const void *digest, u32 size))
{
    struct fsverity_digest header = { algorithm, size };
    u8 bytes[sizeof header + 64];
    if (size > 64)
        return -E2BIG;
    memcpy(bytes, &header, sizeof header);
    memcpy(bytes + sizeof header, digest, size);
    return say(file, FACT_DIGEST, "", bytes, sizeof header + size);
}

/* Cut to what there is room for; what is behind it is zeroed. */
KFUNC(s32, bpf_get_fsverity_digest, (void *file, struct dynptr *to))
{
    u32 room = dynptr_size(to);
    if (!to->data || to->size & DYNPTR_READ_ONLY || room < sizeof(struct fsverity_digest))
        return -EINVAL;
    const struct fact *fact = find(file, FACT_DIGEST, "");
    if (!fact)
        return -ENODATA;
    u32 length = fact->size < room ? fact->size : room;
    u8 zero = 0;
    long error = bpf_dynptr_write(to, 0, fact->bytes, length, 0);
    for (; !error && length < room; length++)
        error = bpf_dynptr_write(to, length, &zero, 1, 0);
    return error;
}

/* More than a struct file has: the program that the task runs. */
static u64 exe_file[128];

KFUNC(void *, bpf_get_task_exe_file, (void *task)) { return exe_file; }

KFUNC(void, bpf_put_file, (void *file)) {}

/* No file is a socket. */
HELPER(void *, sock_from_file, (void *file)) { return NULL; }

static u32 secure_exec;

/* Whether the last program that said so asked for a secure start (AT_SECURE). */
API(u32, bpf2native_secure_exec, (void)) { return secure_exec; }

enum { SECURE_EXEC = 1 };

HELPER(long, bprm_opts_set, (void *binprm, u64 flags))
{
    if (flags & ~(u64)SECURE_EXEC)
        return -EINVAL;
    secure_exec = flags & SECURE_EXEC;
    return 0;
}

/* Nobody measures files. */
HELPER(long, ima_inode_hash, (void *inode, void *to, u32 size)) { return -EOPNOTSUPP; }

HELPER(long, ima_file_hash, (void *file, void *to, u32 size)) { return -EOPNOTSUPP; }
