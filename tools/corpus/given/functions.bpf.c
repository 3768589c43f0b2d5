/* Functions of the selftests' module and symbols of the kernel that programs attach to, or take the address of. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

int bpf_testmod_fentry_test1(int a) { return a + 1; }
int bpf_testmod_fentry_test2(int a, u64 b) { return a + b; }
int bpf_testmod_fentry_test3(char a, int b, u64 c) { return a + b + c; }

/* A kernel's types, of which there are none, and its variables of each processor. */
char __start_BTF[1], __stop_BTF[1], __per_cpu_start[1];

/* What a program is attached to, for one that reads its arguments: called as the kernel's function would be. */
extern int resolve_typedef(u64 *arguments) __weak;

int bpf_fentry_test_sinfo(void)
{
    static struct skb_shared_info info;
    u64 arguments[1] = { (u64)&info };
    return resolve_typedef(arguments);
}
