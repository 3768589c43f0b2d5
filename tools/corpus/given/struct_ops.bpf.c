/* The module's struct_ops: who calls the programs that a test has registered, and the code that the module has the kernel put before
   and behind them. A program gets its arguments in an array, as a context. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

struct st_ops_args {
    u64 a;
};

struct given_operations {
    int (*test_prologue)(u64 *context);
    int (*test_epilogue)(u64 *context);
    int (*test_pro_epilogue)(u64 *context);
    void *owner;
};

/* What a program of the selftests calls its operations; one of them is in an object. */
extern struct given_operations pro_epilogue __weak;
extern struct given_operations epilogue_goto_start __weak;
extern struct given_operations epilogue_exit __weak;
extern struct given_operations epilogue_tailcall __weak;

static struct given_operations *registered(void)
{
    return &pro_epilogue ?: &epilogue_goto_start ?: &epilogue_exit ?: &epilogue_tailcall;
}

int bpf_kfunc_st_ops_inc10(struct st_ops_args *args)
{
    args->a += 10;
    return args->a;
}

static int run(int (*program)(u64 *), struct st_ops_args *args, bool has_prologue, bool has_epilogue)
{
    u64 context[1] = { (u64)args };
    int result;
    if (!program)
        return -1;
    if (has_prologue)
        args->a += 1000;
    result = program(context);
    if (!has_epilogue)
        return result;
    args->a += 10000;
    return args->a * 2;
}

int bpf_kfunc_st_ops_test_prologue(struct st_ops_args *args)
{
    struct given_operations *all = registered();
    return all ? run(all->test_prologue, args, true, false) : -1;
}

int bpf_kfunc_st_ops_test_epilogue(struct st_ops_args *args)
{
    struct given_operations *all = registered();
    return all ? run(all->test_epilogue, args, false, true) : -1;
}

int bpf_kfunc_st_ops_test_pro_epilogue(struct st_ops_args *args)
{
    struct given_operations *all = registered();
    return all ? run(all->test_pro_epilogue, args, true, true) : -1;
}
