/* Memory that a command gets of malloc and its kin, and does not free: how much, and where it asked for it.

       bpf2native run leaks.o -- ./server
       addr2line -e server 0x1189                the line of what is printed as server+0x1189 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

enum { MOST = 100000 };

/* What is read of the kernel's structs. */
#define RELOCATED __attribute__((preserve_access_index))
struct qstr { const unsigned char *name; } RELOCATED;
struct dentry { struct qstr d_name; } RELOCATED;
struct path { struct dentry *dentry; } RELOCATED;
struct file { struct path f_path; } RELOCATED;
struct vm_area_struct { unsigned long vm_start, vm_pgoff; struct file *vm_file; } RELOCATED;

/* A line of code that calls malloc. */
struct place {
    __u64 offset;
    char file[32];
};

struct allocation {
    struct place place;
    __u64 size;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, __u32); /* the thread */
    __type(value, struct allocation);
} calls SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, MOST);
    __type(key, __u64); /* the address */
    __type(value, struct allocation);
} allocations SEC(".maps");

const volatile int workload_pid;
__u64 missed;

static long in_mapping(struct task_struct *task, struct vm_area_struct *mapping, struct place *place)
{
    struct file *file = mapping->vm_file;

    place->offset += mapping->vm_pgoff * 4096 - mapping->vm_start;
    if (file)
        bpf_probe_read_kernel_str(place->file, sizeof(place->file), BPF_CORE_READ(file, f_path.dentry, d_name.name));
    return 0;
}

static __always_inline int enter(struct pt_regs *registers, __u64 size)
{
    struct allocation allocation = {.size = size};
    __u64 id = bpf_get_current_pid_tgid();
    __u32 thread = id;

    if (workload_pid && id >> 32 != workload_pid)
        return 0;
#ifdef bpf_target_x86
    bpf_probe_read_user(&allocation.place.offset, sizeof(__u64), (void *)PT_REGS_SP(registers));
#else
    allocation.place.offset = PT_REGS_RET(registers);
#endif
    bpf_find_vma(bpf_get_current_task_btf(), allocation.place.offset, in_mapping, &allocation.place, 0);
    /* realloc may call malloc, which does not count then. */
    bpf_map_update_elem(&calls, &thread, &allocation, BPF_NOEXIST);
    return 0;
}

static __always_inline int leave(__u64 address)
{
    __u32 thread = bpf_get_current_pid_tgid();
    struct allocation *allocation = bpf_map_lookup_elem(&calls, &thread);

    if (!allocation)
        return 0;
    if (address && bpf_map_update_elem(&allocations, &address, allocation, BPF_ANY))
        __sync_fetch_and_add(&missed, 1);
    bpf_map_delete_elem(&calls, &thread);
    return 0;
}

static __always_inline int release(__u64 address)
{
    if (!workload_pid || bpf_get_current_pid_tgid() >> 32 == workload_pid)
        bpf_map_delete_elem(&allocations, &address);
    return 0;
}

SEC("uprobe/libc.so.6:malloc") int BPF_KPROBE(malloc_enter, __u64 size) { return enter(ctx, size); }
SEC("uprobe/libc.so.6:calloc") int BPF_KPROBE(calloc_enter, __u64 count, __u64 size) { return enter(ctx, count * size); }
SEC("uprobe/libc.so.6:realloc") int BPF_KPROBE(realloc_enter, __u64 old, __u64 size) { return release(old), enter(ctx, size); }
SEC("uprobe/libc.so.6:free") int BPF_KPROBE(free_enter, __u64 address) { return release(address); }
SEC("uretprobe/libc.so.6:malloc") int BPF_KRETPROBE(malloc_leave, __u64 address) { return leave(address); }
SEC("uretprobe/libc.so.6:calloc") int BPF_KRETPROBE(calloc_leave, __u64 address) { return leave(address); }
SEC("uretprobe/libc.so.6:realloc") int BPF_KRETPROBE(realloc_leave, __u64 address) { return leave(address); }

static struct allocation leaks[MOST];
static long leak_count;

static long collect(void *map, const void *address, void *allocation, void *context)
{
    leaks[leak_count++] = *(struct allocation *)allocation;
    return 0;
}

static int by_place(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct place));
}

void END(void)
{
    __u64 bytes, total = 0;
    long first, next;

    bpf_for_each_map_elem(&allocations, collect, NULL, 0);
    qsort(leaks, leak_count, sizeof(*leaks), by_place);
    for (first = 0; first < leak_count; first = next) {
        bytes = 0;
        for (next = first; next < leak_count && by_place(&leaks[first], &leaks[next]) == 0; next++)
            bytes += leaks[next].size;
        printf("%12llu bytes in %6ld pieces", bytes, next - first);
        printf("  %s+0x%llx\n", leaks[first].place.file, leaks[first].place.offset);
        total += bytes;
    }
    printf("%12llu bytes in %6ld pieces are not freed\n", total, leak_count);
    if (missed)
        printf("%llu more are not counted: there were too many at the same time\n", missed);
}

char LICENSE[] SEC("license") = "GPL";
