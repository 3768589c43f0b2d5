/* Variables of the kernel that programs refer to (`extern ... __ksym`). In: nothing. Out: zeros, of which a test may write what its
   program reads. The rule: of a variable that a kernel has for each processor there is one; what programs only know the address of
   is there to have one. */
#include "runtime.h"

/* More than a struct rq has, and than tables of operations have. */
enum { RQ_SIZE = 16384, OPERATIONS_SIZE = 512 };

weak u64 runqueues[RQ_SIZE / 8];
weak s32 bpf_prog_active;
weak s32 bpf_task_storage_busy;
weak u64 bpf_link_fops[OPERATIONS_SIZE / 8];
weak u64 bpf_map_fops[OPERATIONS_SIZE / 8];
weak u64 bpf_prog_fops[OPERATIONS_SIZE / 8];
weak u64 btf_fops[OPERATIONS_SIZE / 8];
/* Of no types, and of nothing for each processor. */
weak u64 __start_BTF[1];
extern weak u64 __stop_BTF[1] __attribute__((alias("__start_BTF")));
weak u64 __per_cpu_start[1];
