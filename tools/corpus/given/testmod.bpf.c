/* The kfuncs of the selftests' kernel module (bpf_testmod), as a user defines kfuncs that a kernel of theirs has: functions of the
   same name in BPF C, compiled with the program's types and given beside it. What they do is what the module's do; its functions
   that sleep, print or only exist to be refused by the verifier do nothing. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

/* Types that only the module has, and that the programs declare for themselves. */
struct given_iterator {
    s64 value;
    int count;
};

struct given_object {
    int a;
    int b;
    struct {
        int a;
        int c;
    } member;
    struct given_object *next;
    int uses;
};

struct given_context {
    void *unused[2];
    int uses;
};

struct st_ops_args {
    u64 a;
};

extern void *calloc(unsigned long count, unsigned long size);
extern void free(void *memory);

/* ---- Iterators ---- */

int bpf_iter_testmod_seq_new(struct given_iterator *it, s64 value, int count)
{
    it->count = count;
    if (count < 0)
        return -22;
    it->value = value;
    return 0;
}

s64 *bpf_iter_testmod_seq_next(struct given_iterator *it)
{
    if (it->count <= 0)
        return NULL;
    it->count--;
    return &it->value;
}

s64 bpf_iter_testmod_seq_value(int value, struct given_iterator *it)
{
    return it->count < 0 ? 0 : value + it->value;
}

void bpf_iter_testmod_seq_destroy(struct given_iterator *it) { it->count = 0; }

/* ---- Numbers ---- */

u64 bpf_kfunc_call_test1(void *sk, u32 a, u64 b, u32 c, u64 d) { return a + b + c + d; }
int bpf_kfunc_call_test2(void *sk, u32 a, u32 b) { return a + b; }
void *bpf_kfunc_call_test3(void *sk) { return sk; }
long bpf_kfunc_call_test4(signed char a, short b, int c, long d) { return (long)a + b + c + d; }
u32 bpf_kfunc_call_test_static_unused_arg(u32 a, u32 unused) { return a; }

int bpf_testmod_ksym_percpu = 123;

void bpf_testmod_test_mod_kfunc(int i) { bpf_testmod_ksym_percpu = i; }

/* Of two more modules. */
int bpf_test_modorder_retx(void) { return 'x'; }
int bpf_test_modorder_rety(void) { return 'y'; }

/* ---- Objects with references ---- */

static struct given_object object = { .a = 42, .b = 108, .uses = 1 };

struct given_object *bpf_kfunc_call_test_acquire(unsigned long *unused)
{
    object.next = &object;
    __sync_fetch_and_add(&object.uses, 1);
    return &object;
}

static int *memory(struct given_object *it, int size) { return size > 8 ? NULL : (int *)it; }

int *bpf_kfunc_call_test_get_rdwr_mem(struct given_object *it, const int size) { return memory(it, size); }
int *bpf_kfunc_call_test_get_rdonly_mem(struct given_object *it, const int size) { return memory(it, size); }
int *bpf_kfunc_call_test_acq_rdonly_mem(struct given_object *it, const int size) { return memory(it, size); }

struct given_context *bpf_testmod_ctx_create(int *error)
{
    struct given_context *context = calloc(1, sizeof *context);
    if (context)
        context->uses = 1;
    else
        *error = -12;
    return context;
}

void bpf_testmod_ctx_release(struct given_context *context)
{
    if (context && __sync_fetch_and_sub(&context->uses, 1) == 1)
        free(context);
}

/* ---- Such as do nothing ---- */

void bpf_kfunc_common_test(void) {}
void bpf_kfunc_call_test_sleepable(void) {}
void bpf_kfunc_call_test_destructive(void) {}
void bpf_kfunc_call_int_mem_release(int *p) {}
void bpf_kfunc_call_test_pass_ctx(void *skb) {}
void bpf_kfunc_call_test_pass1(void *p) {}
void bpf_kfunc_call_test_pass2(void *p) {}
void bpf_kfunc_call_test_mem_len_pass1(void *mem, int length) {}
void bpf_kfunc_call_test_mem_len_fail2(void *mem, int length) {}
void bpf_kfunc_call_test_ref(void *p) {}
void bpf_kfunc_dynptr_test(void *dynptr, void *other) {}
void bpf_kfunc_trusted_vma_test(void *p) {}
void bpf_kfunc_trusted_task_test(void *p) {}
void bpf_kfunc_trusted_num_test(int *p) {}
void bpf_kfunc_rcu_task_test(void *p) {}
void *bpf_kfunc_nested_acquire_nonzero_offset_test(void *p) { return NULL; }
void *bpf_kfunc_nested_acquire_zero_offset_test(void *p) { return NULL; }
void bpf_kfunc_nested_release_test(void *p) {}
