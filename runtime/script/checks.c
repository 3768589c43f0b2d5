/* What has to be there, looked at before libbpf is asked, so that what is missing is said with what to do. */
#include "script/script.h"

/* Of capabilities(7). */
enum { CAP_SYS_ADMIN = 21, CAP_PERFMON = 38, CAP_BPF = 39, CAPABILITY_VERSION_3 = 0x20080522 };

static int has(const struct capability_data *data, u32 capability) {
    return data[capability / 32].effective >> capability % 32 & 1;
}

/* Whether bpf(2) may be used, as far as capabilities say. */
static int is_allowed(void) {
    struct capability_header header = {CAPABILITY_VERSION_3, 0};
    struct capability_data data[2] = {0};
    if (capget(&header, data)) return 1;
    return has(data, CAP_SYS_ADMIN) || has(data, CAP_BPF);
}

/* Both are where libbpf looks. */
static int has_tracefs(void) {
    return !access("/sys/kernel/tracing/events", F_OK) || !access("/sys/kernel/debug/tracing/events", F_OK);
}

/* A program that is attached by a tracepoint's number, which tracefs has. */
static const char *tracepoint_of(struct bpf_object *object) {
    struct bpf_program *program = NULL;
    while ((program = bpf_object__next_program(object, program)))
        if (bpf_program__type(program) == PROG_TYPE_TRACEPOINT && bpf_program__autoload(program))
            return bpf_program__name(program);
    return NULL;
}

weak int bpf2native_rt_script_check(struct bpf_object *object) {
    u32 major = libbpf_major_version(), minor = libbpf_minor_version();
    if (major < LIBBPF_MAJOR || (major == LIBBPF_MAJOR && minor < LIBBPF_MINOR)) {
        say("libbpf %u.%u is too old: ", major, minor);
        dprintf(2, "the kernel half needs %u.%u or later\n", LIBBPF_MAJOR, LIBBPF_MINOR);
        return 1;
    }
    if (!is_allowed()) {
        say("the kernel half can be loaded by root only, or with CAP_BPF and CAP_PERFMON: run it with sudo\n");
        return 1;
    }
    const char *tracepoint = tracepoint_of(object);
    if (tracepoint && !has_tracefs()) {
        say("`%s` is for a tracepoint, and tracefs is not mounted: mount -t tracefs tracefs /sys/kernel/tracing\n", tracepoint);
        return 1;
    }
    return 0;
}

weak void bpf2native_rt_script_refused(long error) {
    u32 is_verifier = error == -EACCES || error == -EINVAL;
    say("the kernel half cannot be loaded: %s\n", is_verifier ? "the kernel refuses it" : strerror(-error));
    bpf2native_rt_script_tell();
    if (error == -EPERM)
        say("bpf(2) is refused here: CAP_BPF and CAP_PERFMON are not enough in a container or under lockdown\n");
}
