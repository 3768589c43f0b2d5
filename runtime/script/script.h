/* What the translator says of a program with a kernel half (src/halves/tables.rs makes it), and what the driver's files
   share: scripts are run by bpf_script_main (main.c), tools ask for their kernel half themselves (half.c). */
#ifndef BPF2NATIVE_RUNTIME_SCRIPT_H
#define BPF2NATIVE_RUNTIME_SCRIPT_H

#include "runtime.h"
#include "bpf2native.h"
#include "script/libbpf.h"
#include "script/linux.h"

enum script_kind { SCRIPT_INIT = 1, SCRIPT_BEGIN, SCRIPT_EVENT, SCRIPT_TIMER, SCRIPT_END };

/* A function of the user half, in the order of the object. */
struct script_function {
    u32 kind;             /*  0: enum script_kind */
    u32 returns;          /*  4: 1 if BTF says that it returns an integer; else its result is not looked at */
    const char *argument; /*  8: what follows the slash of its section ("events", "100ms"); NULL if nothing does */
    void *function;       /* 16: INIT(int argc, char **argv), BEGIN(int, char **), EVENT(void *, int), TIMER(void), END(void) */
    u64 unused;           /* 24 */
};                        /* 32 */

/* A data section that both halves have. */
struct script_section {
    const char *name; /*  0: in the kernel's copy: ".data", ".bss", ".rodata", ".data.x" */
    void *start;      /*  8: writable ones begin on a page and are alone on their pages */
    u64 size;         /* 16: in bytes, as the kernel's map has them */
    u32 writable;     /* 24: 0 for .rodata*, private memory that may be written until the kernel half is loaded */
    u32 unused;       /* 28 */
};                    /* 32 */

enum script_type { SCRIPT_SIGNED = 1, SCRIPT_UNSIGNED, SCRIPT_BOOL, SCRIPT_TEXT /* char[] */, SCRIPT_OTHER };

/* A global variable of a shared section. They are sorted: constants (`const volatile`) first, then by name. */
struct script_variable {
    const char *name; /*  0 */
    void *address;    /*  8 */
    u32 size;         /* 16: in bytes */
    u32 type;         /* 20: enum script_type */
    u32 constant;     /* 24: 1 in .rodata */
    u32 unused;       /* 28 */
};                    /* 32 */

struct script {
    const void *object;                      /*  0: the kernel's copy, an ELF object; aligned to 8 */
    u64 object_size;                         /*  8: in bytes */
    const struct script_function *functions; /* 16 */
    u64 function_count;                      /* 24 */
    const struct script_section *sections;   /* 32 */
    u64 section_count;                       /* 40 */
    const struct script_variable *variables; /* 48 */
    u64 variable_count;                      /* 56 */
    const char *name;                        /* 64: the object's file name without folder and `.o` */
    u64 flags;                               /* 72: 0 */
};                                           /* 80 */

/* The program's; the translator fills it in (half.c). NULL in a program without a kernel half. */
extern const struct script *bpf_script;

/* ---- Options (options.c) ---- */

struct script_options {
    const char *program;   /* argv[0] */
    u32 pid;               /* -p; 0 without it */
    u32 all;               /* -a */
    u32 verbose;           /* -v */
    u32 interface;         /* -i: the interface's index; 0 without it */
    u64 duration;          /* --duration, in nanoseconds; 0 without it */
    const char **settings; /* --set: NAME=VALUE each */
    u32 setting_count;
    int argc;              /* the script's arguments, with argv[0]; a NULL follows them */
    char **argv;
    char **workload;       /* its words, and a NULL; NULL without one */
    u32 separated;         /* a `--` said where the workload begins */
};

/* Reads the command line. 0; -1 if --help was asked for and is said; else the exit status. */
int bpf2native_rt_script_options(struct script_options *options, int argc, char **argv);
/* A span of time as `5`, `0.5s`, `100ms`, `20us`, `2m`, `1h`, in nanoseconds; 0 for what is none, or is too long. */
u64 bpf2native_rt_script_time(const char *text);

/* ---- Messages (messages.c) ---- */

/* Begins a message on standard error, after all that the script has printed, with the script's name. */
void bpf2native_rt_script_say(void);
#define say(...) (bpf2native_rt_script_say(), (void)dprintf(2, __VA_ARGS__))
/* Says that there is no memory; the exit status. */
int bpf2native_rt_script_no_memory(void);
/* Takes libbpf's messages: with `verbose` they are printed as they come, else kept until something is refused. */
void bpf2native_rt_script_listen(u32 verbose);
/* Prints what is kept, of the verifier's logs the last lines, and forgets it. */
void bpf2native_rt_script_tell(void);
/* Forgets what is kept. */
void bpf2native_rt_script_forget(void);

/* ---- Variables (set.c, share.c) ---- */

/* Does what --set says, and sets `workload_pid`. 0, or the exit status after a message. */
int bpf2native_rt_script_set(const struct script_options *options, u32 workload_pid);
/* Gives the kernel's maps of shared sections what these hold; before loading. 0, or a negative error after a message. */
long bpf2native_rt_script_share_values(struct bpf_object *object);
/* Puts these maps in place of the sections' memory; after loading. */
long bpf2native_rt_script_share_memory(struct bpf_object *object);

/* ---- Maps (map.c, each.c) ---- */

/* What a descriptor of a map of the kernel has as its state. */
struct kernel_map {
    /* Zeros, a struct ring without room: for helpers that put records out, which take every map for one of the runtime's. */
    u64 no_ring[8];
    int fd;
    u32 type;       /* enum bpf_map_type */
    u32 key_size;   /* in bytes */
    u32 value_size; /* of one value */
    u32 stride;     /* of what a look-up gives: all processors' values in per-CPU maps */
    u32 processors; /* how many values that are; 0 in other maps */
    u32 max_entries;
    u32 next_copy;  /* of `copies`, counted up */
    char *mapped;   /* the values, if the map can be mapped */
    char *copies;   /* MAP_COPIES values of look-ups; NULL before the first */
};

enum { MAP_COPIES = 64 };

extern const struct map_ops bpf_map_ops_kernel;

/* Binds the descriptors of the kernel's maps to the loaded ones. */
void bpf2native_rt_script_bind(struct bpf_object *object);
/* `for_each` of the kernel's maps. */
long bpf2native_rt_script_each(struct map *map, void *callback, void *context, u64 flags);

/* ---- Checks and attachment (checks.c, attach.c) ---- */

/* What has to be there before libbpf is asked to load. 0, or the exit status after a message. */
int bpf2native_rt_script_check(struct bpf_object *object);
/* Says what a failure to load means. */
void bpf2native_rt_script_refused(long error);
/* Attaches all that attaches by itself. 0, or the exit status after a message. */
int bpf2native_rt_script_attach(struct bpf_object *object, const struct script_options *options);
void bpf2native_rt_script_detach(void);

/* ---- The workload (workload.c) ---- */

/* Forks it and holds it before it begins. 0, or the exit status after a message. */
int bpf2native_rt_script_fork(char **words);
/* The process, 0 if there is none. */
u32 bpf2native_rt_script_workload(void);
/* Lets it begin. 0; 127 if there is no such command, 126 if it cannot be started, after a message. */
int bpf2native_rt_script_go(void);
/* Whether it has ended; its exit status. It does not wait. */
int bpf2native_rt_script_ended(int *status);
void bpf2native_rt_script_terminate(void);
/* Ends one that is still held. */
void bpf2native_rt_script_drop(void);

/* ---- Signals (signals.c) ---- */

/* Takes SIGINT, SIGTERM and SIGCHLD from now on. The descriptor that can be read after one, or a negative error. */
int bpf2native_rt_script_signals(void);
/* The signal that asked for the end (SIGINT, SIGTERM), or 0; forgets that others came. */
int bpf2native_rt_script_asked(void);
/* From now on signals do what they do elsewhere. */
void bpf2native_rt_script_signals_end(void);

/* ---- Timers (timers.c) ---- */

/* Makes the timers of TIMER functions; those with a time of their own run from now on. 0, or the exit status. */
int bpf2native_rt_script_timers(void);
u32 bpf2native_rt_script_timer_count(void);
/* The descriptor of a timer, that can be read when it is due. */
int bpf2native_rt_script_timer(u32 index);
/* Calls its function if it is due. */
void bpf2native_rt_script_tick(u32 index);
/* A timer that is due once, in so many nanoseconds; a negative error. */
int bpf2native_rt_script_alarm(u64 nanoseconds);

/* ---- Events (events.c, perf.c) ---- */

/* A perf buffer. */
struct perf_source {
    struct perf_buffer *buffer;
    /* Gets each record. */
    void (*receive)(struct perf_source *source, void *data, u32 size);
    u64 told;       /* how many records others say were lost */
    u32 is_counted; /* the kernel counts them */
    u32 unused;
};

/* Opens one, with `receive` set. 0, or a negative error. */
int bpf2native_rt_script_perf_open(struct perf_source *source, int fd);
/* How many records had no room. */
u64 bpf2native_rt_script_perf_lost(const struct perf_source *source);

/* Opens ring buffers and perf buffers of which there is an EVENT. 0, or the exit status after a message. */
int bpf2native_rt_script_events(struct bpf_object *object);
u32 bpf2native_rt_script_source_count(void);
/* The descriptor of a buffer, that can be read when there are records. */
int bpf2native_rt_script_source(u32 index);
/* Calls EVENT for records of one buffer; how many there were, at most some hundreds of a ring buffer. */
long bpf2native_rt_script_receive(u32 index);
/* The same for all that are left, and says what was lost. */
void bpf2native_rt_script_drain(void);

/* The loop of all these (loop.c): until the end. The signal that asked for it, or 0. */
int bpf2native_rt_script_loop(const struct script_options *options, int signals);

#endif
