/* A script's run. In: the command line. Out: the exit status. The order:

   | | |
   |---|---|
   | options, the kernel half opened | an error of either ends it |
   | INIT(argc, argv) | options of the script, libbpf's setters; other than 0: the exit status |
   | the workload forked and held | |
   | --set, `workload_pid`, loading, buffers, attachment | |
   | BEGIN | other than 0: the exit status, and neither the workload nor END runs |
   | the workload goes, EVENT and TIMER | until it ends, SIGINT, SIGTERM, --duration, -p's process ends |
   | detached, what is left goes to EVENT, END | |

   The rule: the exit status is END's if that is not 0, else the workload's. Whatever ends it, nothing stays attached: links are
   descriptors of this process. */
#include "script/script.h"

/* What is added to the number of a signal that ends a script whose workload has not ended, or not begun. */
enum { BY_SIGNAL = 128 };

typedef int (*with_arguments)(int argc, char **argv);

/* Calls the functions of a kind, until one returns other than 0. */
static int call_all(u32 kind, const struct script_options *options) {
    for (u64 i = 0; i < bpf_script->function_count; i++) {
        const struct script_function *function = &bpf_script->functions[i];
        if (function->kind != kind) continue;
        int result = ((with_arguments)function->function)(options->argc, options->argv);
        if (function->returns && result) return result;
    }
    return 0;
}

static int has(u32 kind) {
    for (u64 i = 0; i < bpf_script->function_count; i++)
        if (bpf_script->functions[i].kind == kind) return 1;
    return 0;
}

/* Without a `--`, the workload begins where INIT's getopt stopped; without INIT, it is all words. */
static void find_workload(struct script_options *options) {
    if (options->separated) return;
    int first = has(SCRIPT_INIT) ? optind : 1;
    if (first >= 1 && first < options->argc) options->workload = options->argv + first;
}

static u32 pid_of(const struct script_options *options) {
    if (options->pid) return options->pid;
    return options->all ? 0 : bpf2native_rt_script_workload();
}

static int load(struct bpf_object *object, const struct script_options *options) {
    int status = bpf2native_rt_script_set(options, pid_of(options));
    if (!status) status = bpf2native_rt_script_check(object);
    if (status) return status;
    long error = bpf2native_kernel_load();
    if (error) {
        bpf2native_rt_script_refused(error);
        return 1;
    }
    if (options->verbose) {
        struct bpf_program *program = NULL;
        while ((program = bpf_object__next_program(object, program)))
            if (bpf_program__autoload(program))
                say("loaded `%s`, %lu instructions\n", bpf_program__name(program), bpf_program__insn_cnt(program));
    }
    status = bpf2native_rt_script_events(object);
    if (!status) status = bpf2native_rt_script_timers();
    return status ? status : bpf2native_rt_script_attach(object, options);
}

/* From BEGIN on. */
static int run(const struct script_options *options, int signals) {
    int status = call_all(SCRIPT_BEGIN, options);
    if (status) return status;
    int asked = bpf2native_rt_script_asked();
    if (asked) {
        bpf2native_rt_script_drop();
    } else {
        status = options->workload ? bpf2native_rt_script_go() : 0;
        if (status) return status;
        asked = bpf2native_rt_script_loop(options, signals);
    }
    bpf2native_rt_script_detach();
    bpf2native_rt_script_drain();
    bpf2native_rt_script_signals_end();
    int result = call_all(SCRIPT_END, options);
    if (result) return result;
    return !options->workload || bpf2native_rt_script_ended(&status) ? status : BY_SIGNAL + asked;
}

static int start(struct script_options *options, struct bpf_object *object) {
    int status = call_all(SCRIPT_INIT, options);
    if (status) return status;
    find_workload(options);
    if (options->workload) status = bpf2native_rt_script_fork(options->workload);
    if (status) return status;
    int signals = bpf2native_rt_script_signals();
    if (signals < 0) {
        say("no pipe for signals: %s\n", strerror(-signals));
        return 1;
    }
    status = load(object, options);
    bpf2native_rt_script_forget();
    return status ? status : run(options, signals);
}

weak int bpf_script_main(int argc, char **argv);
weak int bpf_script_main(int argc, char **argv) {
    struct script_options options = {0};
    int status = bpf2native_rt_script_options(&options, argc, argv);
    if (status) return status < 0 ? 0 : status;
    if (options.pid && kill(options.pid, 0) && errno == ESRCH) {
        say("--pid: there is no process %u\n", options.pid);
        return 1;
    }
    bpf2native_rt_script_listen(options.verbose);
    struct bpf_object *object = bpf2native_kernel_half();
    if (!object) {
        say("the kernel half cannot be opened: %s\n", strerror(errno));
        bpf2native_rt_script_tell();
        return 1;
    }
    status = start(&options, object);
    bpf2native_rt_script_detach();
    bpf2native_rt_script_drop();
    return status;
}
