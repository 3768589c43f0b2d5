/* Functions and symbols of the kernel that the selftests attach to, or take the address of. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

int bpf_fentry_test1(int a) { return a + 1; }
int bpf_fentry_test2(int a, u64 b) { return a + b; }
int bpf_fentry_test3(char a, int b, u64 c) { return a + b + c; }
int bpf_fentry_test4(void *a, char b, int c, u64 d) { return (long)a + b + c + d; }
int bpf_fentry_test5(u64 a, void *b, short c, int d, u64 e) { return a + (long)b + c + d + e; }
int bpf_fentry_test6(u64 a, void *b, short c, int d, void *e) { return a + (long)b + c + d + (long)e; }
int bpf_fentry_test7(void *a) { return (long)a; }
int bpf_fentry_test8(void **a) { return (long)*a; }

int bpf_modify_return_test(int a, int *b)
{
    *b += 1;
    return a + *b;
}

int bpf_testmod_fentry_test1(int a) { return a + 1; }
int bpf_testmod_fentry_test2(int a, u64 b) { return a + b; }
int bpf_testmod_fentry_test3(char a, int b, u64 c) { return a + b + c; }

void schedule(void) {}

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
