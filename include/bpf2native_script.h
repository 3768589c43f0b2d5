/* Programs of two halves: what runs in the kernel, and the user code around it, in one object. bpf2native translates the user half
   and puts the kernel half into the program; libbpf loads it.

   A script has no main. The functions of its user half, any of them:

       int INIT(int argc, char **argv);    before the kernel half is loaded: options, libbpf's setters
       int BEGIN(int argc, char **argv);   it is attached; the workload has not begun
       void EVENT(void *data, int size);   a record of a ring buffer or perf buffer: of any, or SEC("EVENT/map")
       void TIMER(void);                   by set_timer, or SEC("TIMER/100ms")
       int END(void);                      the workload has ended, or the script was interrupted

   INIT and BEGIN get the words before a `--`, or all of them. Records of perf buffers have up to 7 bytes more at their end. INIT
   and BEGIN that return other than 0 end the script with that status; what END returns, if it is not 0, is the exit status
   in place of the workload's. `const volatile int workload_pid` gets the workload's process id.

   A tool has a main, and asks for its kernel half:

       struct bpf_object *object = bpf2native_kernel_half();
       bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "counts"), 1000);
       int error = bpf2native_kernel_load();

   Helpers such as bpf_map_lookup_elem(&counts, &key) work in both, on the kernel's maps (docs/runtime.md); global variables
   are one in both halves from loading on. */
#ifndef BPF2NATIVE_SCRIPT_H
#define BPF2NATIVE_SCRIPT_H

#ifdef __cplusplus
extern "C" {
#endif

struct bpf_object;

/* The kernel half, opened by libbpf and not loaded at first; the same each time. NULL and errno if it cannot be opened. It is
   the program's: bpf_object__close is not for it. */
struct bpf_object *bpf2native_kernel_half(void);

/* Loads it, with global variables as they are now, which are shared from here on; binds maps. 0, or a negative error. A
   script's is loaded after INIT. */
int bpf2native_kernel_load(void);

/* The file descriptor of a map (`&counts`), for libbpf's and bpf(2)'s functions. -EBADF before it is loaded. */
int bpf2native_map_fd(void *map);

/* TIMER runs every so many seconds from now on; 0 stops it. 0, or a negative error: -ENOENT if there is no TIMER without a
   time of its own. */
int set_timer(int seconds) __asm__("bpf_script_set_timer");

/* Sets a `const volatile` variable, before the kernel half is loaded: a plain store to a constant is one that compilers
   drop. set_constant(least_ns, 1000); */
#define set_constant(constant, value) \
    __extension__({ \
        __typeof__(((void)0, (constant))) *b2n_constant_ = (void *)&(constant); \
        __asm__("" : "+r"(b2n_constant_)); \
        *b2n_constant_ = (value); \
    })

#ifdef __cplusplus
}
#endif

#endif
