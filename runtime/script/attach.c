/* Links of the kernel half. In: the loaded object. Out: everything attached that attaches by itself, and detached again. The rule:
   what does not is named, all of it at once, with what to do. */
#include "script/script.h"

static struct bpf_link **links;
static u32 count;

/* Programs that others attach or call: of struct_ops maps, of device and CPU maps, those that bpf(2) runs. */
static int is_for_others(const struct bpf_program *program) {
    u32 type = bpf_program__type(program), attach = bpf_program__expected_attach_type(program);
    return type == PROG_TYPE_STRUCT_OPS || type == PROG_TYPE_SYSCALL ||
           (type == PROG_TYPE_XDP && (attach == ATTACH_XDP_DEVMAP || attach == ATTACH_XDP_CPUMAP));
}

static int is_wanted(const struct bpf_program *program) {
    return bpf_program__autoload(program) && bpf_program__autoattach(program) && !is_for_others(program);
}

/* 0; 1 if it does not attach by itself; -1 after a message. */
static int attach_program(const struct bpf_program *program, const struct script_options *options) {
    u32 is_xdp = bpf_program__type(program) == PROG_TYPE_XDP;
    const char *name = bpf_program__name(program), *section = bpf_program__section_name(program);
    if (is_xdp && !options->interface) return 1;
    struct bpf_link *link = is_xdp ? bpf_program__attach_xdp(program, options->interface) : bpf_program__attach(program);
    if (!link) {
        int error = errno;
        if (error == EOPNOTSUPP && !is_xdp) return 1;
        say("`%s` (%s) cannot be attached: %s\n", name, section, strerror(error));
        bpf2native_rt_script_tell();
        return -1;
    }
    links[count++] = link;
    if (options->verbose) say("attached `%s` (%s)\n", name, section);
    return 0;
}

static int attach_map(const struct bpf_map *map, const struct script_options *options) {
    struct bpf_link *link = bpf_map__attach_struct_ops(map);
    if (!link) {
        say("`%s` (struct_ops) cannot be attached: %s\n", bpf_map__name(map), strerror(errno));
        bpf2native_rt_script_tell();
        return -1;
    }
    links[count++] = link;
    if (options->verbose) say("attached `%s` (struct_ops)\n", bpf_map__name(map));
    return 0;
}

static void name_one(const struct bpf_program *program) {
    const char *what = bpf_program__type(program) == PROG_TYPE_XDP
                           ? "say which network interface: -i NAME"
                           : "attach it in BEGIN, after bpf_program__set_autoattach(program, false) in INIT";
    dprintf(2, "  `%s` (%s): %s\n", bpf_program__name(program), bpf_program__section_name(program), what);
}

static u32 size_of(struct bpf_object *object) {
    u32 size = 0;
    struct bpf_program *program = NULL;
    while ((program = bpf_object__next_program(object, program))) size++;
    struct bpf_map *map = NULL;
    while ((map = bpf_object__next_map(object, map))) size++;
    return size;
}

/* A program that nothing but its name is looked at of, with the section that libbpf knows no way of attaching. */
weak int bpf2native_rt_script_attach(struct bpf_object *object, const struct script_options *options) {
    u32 size = size_of(object), left = 0;
    links = calloc(size + 1, sizeof *links);
    struct bpf_program **unable = calloc(size + 1, sizeof *unable);
    int status = links && unable ? 0 : bpf2native_rt_script_no_memory();
    for (struct bpf_program *program = NULL; !status && (program = bpf_object__next_program(object, program));) {
        int result = is_wanted(program) ? attach_program(program, options) : 0;
        if (result > 0) unable[left++] = program;
        status = result < 0;
    }
    if (!status && left) {
        say("libbpf does not attach by itself:\n");
        for (u32 i = 0; i < left; i++) name_one(unable[i]);
        status = 1;
    }
    free(unable);
    for (struct bpf_map *map = NULL; !status && (map = bpf_object__next_map(object, map));)
        if (bpf_map__type(map) == MAP_TYPE_STRUCT_OPS && bpf_map__autocreate(map)) status = attach_map(map, options) != 0;
    return status;
}

weak void bpf2native_rt_script_detach(void) {
    for (u32 i = 0; i < count; i++) bpf_link__destroy(links[i]);
    free(links);
    links = NULL;
    count = 0;
}
