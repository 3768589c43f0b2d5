/* Keys and keyrings: bpf_lookup_user_key, bpf_lookup_system_key, bpf_key_put, bpf_verify_pkcs7_signature. In: serial numbers, of
   which those of the process's own keyrings are negative. Out: pointers that stand for keyrings. The rule: every keyring that a
   process or the system always has is there, and is empty; so no key is found by a number of its own, and no signature's. */
#include "runtime.h"

enum { ENOKEY = 126 };

enum { KEY_LOOKUP_CREATE = 1, KEY_LOOKUP_PARTIAL = 2 };

/* Of the thread, the process, the session, the user, the user's session: those that keyctl(2) names by negative numbers. */
enum { FIRST_SPECIAL = -5, LAST_SPECIAL = -1 };

/* The system's: the built-in keys, these and the secondary ones, the platform's. */
enum { SYSTEM_KEYRINGS = 3 };

/* As the kernel's: a pointer, and whether it is counted. */
struct bpf_key {
    void *key;
    u64 is_counted;
};

static struct bpf_key user[LAST_SPECIAL - FIRST_SPECIAL + 1], of_system[SYSTEM_KEYRINGS];

static struct bpf_key *keyring(struct bpf_key *key, u32 is_counted)
{
    key->key = key;
    key->is_counted = is_counted;
    return key;
}

/* The keyrings of a thread and of a process are made when they are asked for so. */
KFUNC(struct bpf_key *, bpf_lookup_user_key, (s32 serial, u64 flags))
{
    if (flags & ~(u64)(KEY_LOOKUP_CREATE | KEY_LOOKUP_PARTIAL) || serial < FIRST_SPECIAL || serial > LAST_SPECIAL)
        return NULL;
    struct bpf_key *key = &user[serial - FIRST_SPECIAL];
    if (serial >= LAST_SPECIAL - 1 && !(flags & KEY_LOOKUP_CREATE) && !*(void *volatile *)&key->key)
        return NULL;
    return keyring(key, 1);
}

KFUNC(struct bpf_key *, bpf_lookup_system_key, (u64 id))
{
    return id < SYSTEM_KEYRINGS ? keyring(&of_system[id], 0) : NULL;
}

KFUNC(void, bpf_key_put, (struct bpf_key *key)) {}

/* The keyring does not have the signer's key, whoever signed. */
KFUNC(s32, bpf_verify_pkcs7_signature, (const void *data, const void *signature, struct bpf_key *keys)) { return -ENOKEY; }
