/* What a kernel half and a user half may have in one object. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

int printf(const char *format, ...);
int puts(const char *text);
void qsort(void *base, unsigned long count, unsigned long size, int (*compare)(const void *, const void *));
extern void *stdout;
int fflush(void *file);

/* Shared with the kernel half. */
int hits = 7;
unsigned long total;
const volatile int target = 42;
const volatile char word[16] = "none";
static int quiet = 1;
int extra SEC(".data.extra") = 3;

/* The user half's alone. */
static char buffer[1 << 20];
static const char *names[] = { "one", "two" };
int (*pointer)(const void *, const void *);
const int limits[3] = { 1, 2, 3 };

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 64);
    __type(key, int);
    __type(value, long);
} counts SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} events SEC(".maps");

int first(void *context);
int second(void *context);

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 2);
    __uint(key_size, 4);
    __array(values, int(void *));
} tails SEC(".maps") = { .values = { [0] = (void *)&second } };

extern unsigned LINUX_KERNEL_VERSION __kconfig;
extern _Bool CONFIG_BPF_SYSCALL __kconfig __weak;
extern const void vmlinux_not_there __ksym __weak;
extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;

struct task_struct {
    int pid;
    struct task_struct *real_parent;
} __attribute__((preserve_access_index));

/* Both halves call it. */
static __attribute__((noinline)) int scaled(int value)
{
    return value * target + hits;
}

/* The kernel half's alone. */
__attribute__((noinline)) int weighed(int value)
{
    return value & 0xff;
}

static int key;

static __attribute__((noinline)) long count(void *map, int *id, long *value, void *context)
{
    (void)map;
    (void)id;
    (void)context;
    total += *value;
    return 0;
}

SEC("tp/syscalls/sys_enter_getpid")
int first(void *context)
{
    int id = weighed(scaled((int)bpf_get_current_pid_tgid()));
    long one = 1, *known = bpf_map_lookup_elem(&counts, &id);
    struct task_struct *task = (void *)bpf_get_current_task();

    if (known)
        __sync_fetch_and_add(known, 1);
    else
        bpf_map_update_elem(&counts, &id, &one, BPF_ANY);
    total += BPF_CORE_READ(task, real_parent, pid);
    if (LINUX_KERNEL_VERSION < 1 || (!CONFIG_BPF_SYSCALL && word[0] == 'x') || &vmlinux_not_there)
        hits++;
    extra += quiet;
    bpf_printk("seen %d", id);
    bpf_tail_call(context, &tails, 0);
    return 0;
}

SEC("tp/syscalls/sys_enter_getpid")
int second(void *context)
{
    (void)context;
    bpf_for_each_map_elem(&counts, count, 0, 0);
    return 0;
}

SEC("tp_btf/task_newtask")
int third(unsigned long long *context)
{
    (void)context;
    struct task_struct *task = bpf_task_from_pid(1);

    if (task) {
        total += task->pid;
        bpf_task_release(task);
    }
    return 0;
}

static int compared(const void *left, const void *right)
{
    return *(const int *)left - *(const int *)right;
}

int BEGIN(void)
{
    buffer[0] = names[key & 1][0];
    pointer = compared;
    printf("hello %d %s\n", scaled(3), names[1]);
    return 0;
}

SEC("EVENT/events") int record(void *data, int size)
{
    printf("%d %p\n", size, data);
    return limits[size & 1];
}

SEC("TIMER/100ms") void tick(void)
{
    puts("tick");
}

void END(void)
{
    int list[3] = { 3, 1, 2 };

    qsort(list, 3, sizeof(list[0]), pointer);
    printf("%d %lu\n", list[0], total);
    fflush(stdout);
}

char LICENSE[] SEC("license") = "GPL";
