/* Encryption: bpf_crypto_ctx_create, encrypt, decrypt. In: struct bpf_crypto_params, dynptrs. Out: what the kernel's `skcipher`s
   "ecb(aes)" and "cbc(aes)" make of the bytes, block by block: a rest that is no whole block is -EINVAL, after the blocks before
   it. The rule: other algorithms are those that a kernel was built without, -EOPNOTSUPP. */
#include "helpers/dynptr.h"
#include "kfuncs/aes.h"
#include "kfuncs/object.h"

extern void *bpf_obj_new_impl(u64 type, void *types);
extern void *bpf_refcount_acquire_impl(void *object, void *types);
extern int strcmp(const char *a, const char *b);

/* As in the kernel's <linux/bpf_crypto.h>. */
struct bpf_crypto_params {
    char type[14];
    u8 reserved[2];
    char algo[128];
    u8 key[256];
    u32 key_length;
    u32 tag_length;
};

struct context {
    struct aes aes;
    u32 is_chained; /* cbc */
    u32 unused;
};

/* Whether a text is in a field, with its end. */
static u32 is(const char *field, u32 size, const char *text)
{
    for (u32 i = 0; i < size; i++)
        if (!field[i])
            return !strcmp(field, text);
    return 0;
}

static struct context *failed(s32 *error, s32 number)
{
    *error = number;
    return NULL;
}

KFUNC(struct context *, bpf_crypto_ctx_create, (const struct bpf_crypto_params *params, u32 size, s32 *error))
{
    if (!params || size != sizeof *params || params->reserved[0] || params->reserved[1])
        return failed(error, -EINVAL);
    if (!is(params->type, sizeof params->type, "skcipher"))
        return failed(error, -ENOENT);
    u32 is_chained = is(params->algo, sizeof params->algo, "cbc(aes)");
    if ((!is_chained && !is(params->algo, sizeof params->algo, "ecb(aes)")) || params->tag_length)
        return failed(error, -EOPNOTSUPP);
    if (!params->key_length || params->key_length > sizeof params->key)
        return failed(error, -EINVAL);
    struct context *context = bpf_obj_new_impl(sizeof *context << 32, NULL);
    if (!context)
        return failed(error, -ENOMEM);
    context->is_chained = is_chained;
    *error = aes_set_key(&context->aes, params->key, params->key_length);
    if (!*error)
        return context;
    bpf_obj_drop_impl(context, NULL);
    return NULL;
}

KFUNC(struct context *, bpf_crypto_ctx_acquire, (struct context *context))
{
    return bpf_refcount_acquire_impl(context, NULL);
}

KFUNC(void, bpf_crypto_ctx_release, (struct context *context)) { bpf_obj_drop_impl(context, NULL); }

static void add(u8 *to, const u8 *block)
{
    for (u32 i = 0; i < AES_BLOCK; i++)
        to[i] ^= block[i];
}

static void copy(u8 *to, const u8 *block)
{
    for (u32 i = 0; i < AES_BLOCK; i++)
        to[i] = block[i];
}

/* One block; `chain` is the block of ciphertext before it, and is then this one. */
static void crypt_block(const struct context *context, u8 *block, u8 *chain, u32 is_decryption)
{
    u8 given[AES_BLOCK];
    copy(given, block);
    if (is_decryption) {
        aes_decrypt(&context->aes, block);
        if (context->is_chained)
            add(block, chain);
        copy(chain, given);
    } else {
        if (context->is_chained)
            add(block, chain);
        aes_encrypt(&context->aes, block);
        copy(chain, block);
    }
}

static s32 crypt(const struct context *context, const struct dynptr *source, const struct dynptr *target,
                 const struct dynptr *state, u32 is_decryption)
{
    u32 size = dynptr_size(source), state_size = state ? dynptr_size(state) : 0;
    if (target->size & DYNPTR_READ_ONLY || !size || !dynptr_size(target) || size > dynptr_size(target))
        return -EINVAL;
    if (state_size != (context->is_chained ? AES_BLOCK : 0))
        return -EINVAL;
    u8 chain[AES_BLOCK] = { 0 }, block[AES_BLOCK];
    if (state_size && bpf_dynptr_read(chain, AES_BLOCK, state, 0, 0))
        return -EINVAL;
    u32 at = 0;
    for (; at + AES_BLOCK <= size; at += AES_BLOCK) {
        if (bpf_dynptr_read(block, AES_BLOCK, source, at, 0))
            return -EINVAL;
        crypt_block(context, block, chain, is_decryption);
        if (bpf_dynptr_write(target, at, block, AES_BLOCK, 0))
            return -EINVAL;
    }
    if (state_size && bpf_dynptr_write(state, 0, chain, AES_BLOCK, 0))
        return -EINVAL;
    return at == size ? 0 : -EINVAL;
}

KFUNC(s32, bpf_crypto_encrypt, (const struct context *context, const struct dynptr *source, const struct dynptr *target,
                                const struct dynptr *state))
{
    return crypt(context, source, target, state, 0);
}

KFUNC(s32, bpf_crypto_decrypt, (const struct context *context, const struct dynptr *source, const struct dynptr *target,
                                const struct dynptr *state))
{
    return crypt(context, source, target, state, 1);
}
