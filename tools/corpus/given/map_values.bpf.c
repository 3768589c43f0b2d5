/* What the selftests' loader puts into maps before it runs a program (prog_tests/verifier.c): a value of one of these maps. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

struct value {
    u32 index;
    int foo[11];
};

extern struct bpf_map map_array_ro __weak, map_array_48b __weak;

extern long bpf2native_map_update(void *map, const void *key, const void *value, u64 flags);

__attribute__((constructor)) void fill(void)
{
    struct value value = { .index = 7 * sizeof(int), .foo[6] = 0xabcdef12 };
    u32 key = 0;
    if (&map_array_ro)
        bpf2native_map_update(&map_array_ro, &key, &value, 0);
    if (&map_array_48b)
        bpf2native_map_update(&map_array_48b, &key, &value, 0);
}
