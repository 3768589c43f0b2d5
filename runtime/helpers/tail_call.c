/* Helper 12. The translator calls what is returned, and returns its result from the caller's function; for NULL, the
   caller goes on. */
#include "runtime.h"
#include "maps/ready.h"

HELPER(void *, tail_call, (void *context, struct map *programs, u64 index)) {
    u32 key = index;
    if (map_ready(programs) || !programs->ops->lookup) return NULL;
    void **function = programs->ops->lookup(programs, &key);
    return function ? *function : NULL;
}
