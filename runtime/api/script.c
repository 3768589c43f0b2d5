/* Helpers 10001 and 10002, which scripts with a half in user space call: bpf(2)'s commands. */
#include "runtime.h"
#include "bpf2native_runtime.h"

/* Copies the value. 0, or a negative error. */
API(long, bpf_script_map_lookup_elem, (void *map, const void *key, void *value)) {
    return bpf2native_map_lookup(map, key, value, 0);
}

API(long, bpf_script_map_get_next_key, (void *map, const void *key, void *next)) {
    return bpf2native_map_next_key(map, key, next);
}
