/* A line for each command that is started on this machine, with its arguments: what does `make` really do?

       bpf2native run execs.o -- make
       bpf2native run execs.o                    until Ctrl-C */
#include <linux/bpf.h>
#include <stdio.h>
#include <time.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* What is read of the kernel's structs. Where in them these fields are, libbpf finds out when it loads this. */
struct mm_struct {
    unsigned long arg_start, arg_end;
} __attribute__((preserve_access_index));

struct task_struct {
    struct mm_struct *mm;
    struct task_struct *real_parent;
    int tgid;
} __attribute__((preserve_access_index));

enum { MOST = 4096 };

struct command {
    int pid, parent;
    unsigned length; /* of what there is of the arguments */
    char words[MOST]; /* each with a zero at its end */
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 22);
} commands SEC(".maps");

__u64 started, unseen;

SEC("tracepoint/sched/sched_process_exec") int executed(void *context)
{
    struct task_struct *task = (void *)bpf_get_current_task();
    unsigned long words = BPF_CORE_READ(task, mm, arg_start);
    unsigned long length = BPF_CORE_READ(task, mm, arg_end) - words;
    struct command *command = bpf_ringbuf_reserve(&commands, sizeof(*command), 0);

    __sync_fetch_and_add(&started, 1);
    if (!command) {
        __sync_fetch_and_add(&unseen, 1);
        return 0;
    }
    if (length > MOST)
        length = MOST;
    command->pid = bpf_get_current_pid_tgid() >> 32;
    command->parent = BPF_CORE_READ(task, real_parent, tgid);
    command->length = bpf_probe_read_user(command->words, length, (void *)words) ? 0 : length;
    bpf_ringbuf_submit(command, 0);
    return 0;
}

void BEGIN(void)
{
    printf("%-8s %8s %8s  %s\n", "TIME", "PID", "PARENT", "COMMAND");
}

void EVENT(struct command *command, int size)
{
    time_t now = time(NULL);
    char clock[16];

    strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&now));
    printf("%s %8d %8d ", clock, command->pid, command->parent);
    for (unsigned at = 0; at < command->length; at++) {
        if (at == 0 || !command->words[at - 1])
            putchar(' ');
        if (command->words[at])
            putchar(command->words[at]);
    }
    putchar('\n');
}

void END(void)
{
    printf("%llu commands, %llu of them not shown\n", started, unseen);
}

char LICENSE[] SEC("license") = "GPL";
