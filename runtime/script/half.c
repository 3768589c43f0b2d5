/* The kernel half: opened from the program's own memory, and loaded. In: bpf_script. Out: libbpf's object, whose maps and
   shared sections the user half sees. What tools call (include/bpf2native_script.h), and the driver too. The rule: both are
   done once, and asked for again give the same. */
#include "script/script.h"

weak const struct script *bpf_script;

static struct bpf_object *half;
static u32 loaded;
static long load_error;

API(struct bpf_object *, bpf2native_kernel_half, (void)) {
    if (half) return half;
    if (!bpf_script || !bpf_script->object) {
        errno = ENOENT;
        return NULL;
    }
    struct object_open_options options = {sizeof options, bpf_script->name};
    half = bpf_object__open_mem(bpf_script->object, bpf_script->object_size, &options);
    return half;
}

API(int, bpf2native_kernel_load, (void)) {
    if (loaded) return load_error;
    struct bpf_object *object = bpf2native_kernel_half();
    if (!object) return errno ? -errno : -EINVAL;
    loaded = 1;
    load_error = bpf2native_rt_script_share_values(object);
    if (load_error) return load_error;
    load_error = bpf_object__load(object);
    if (load_error) return load_error;
    load_error = bpf2native_rt_script_share_memory(object);
    if (!load_error) bpf2native_rt_script_bind(object);
    return load_error;
}
