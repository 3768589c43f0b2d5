/* Data sections that both halves have. In: the sections' memory, as INIT and --set leave it. Out: before loading, the same
   bytes in the kernel's maps; after it, the writable ones' maps in place of their memory, so that a variable is one in
   both halves. The rule: what is written back are native bytes, so pointers among them stay right in the user half. */
#include "script/script.h"

/* What libbpf made of a section; NULL if no kernel program of this kernel's needs it. */
static struct bpf_map *map_of(struct bpf_object *object, const struct script_section *section) {
    return bpf_object__find_map_by_name(object, section->name);
}

weak long bpf2native_rt_script_share_values(struct bpf_object *object) {
    for (u64 i = 0; i < bpf_script->section_count; i++) {
        const struct script_section *section = &bpf_script->sections[i];
        struct bpf_map *map = map_of(object, section);
        long error = map ? bpf_map__set_initial_value(map, section->start, section->size) : -ENOENT;
        if (error) {
            u32 size = map ? bpf_map__value_size(map) : 0;
            say("section `%s` cannot be shared: it has %lu bytes, and %u in the kernel's copy\n", section->name,
                section->size, size);
            return error;
        }
    }
    return 0;
}

weak long bpf2native_rt_script_share_memory(struct bpf_object *object) {
    u64 page = getpagesize();
    for (u64 i = 0; i < bpf_script->section_count; i++) {
        const struct script_section *section = &bpf_script->sections[i];
        if (!section->writable || !section->size) continue;
        if ((u64)section->start % page) {
            say("section `%s` cannot be shared: pages have %lu bytes here, more than it is aligned to\n", section->name, page);
            return -EINVAL;
        }
        u64 size = (section->size + page - 1) / page * page;
        int fd = bpf_map__fd(map_of(object, section));
        void *mapped = bpf2native_call(mmap, section->start, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0l);
        if (mapped == NOT_MAPPED) {
            int error = errno;
            say("section `%s` cannot be shared: its map cannot be mapped: %s\n", section->name, strerror(error));
            return -error;
        }
    }
    return 0;
}
