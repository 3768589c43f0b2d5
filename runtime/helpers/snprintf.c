/* bpf_snprintf. */
#include "helpers/format.h"

/* The length with the 0 at the end, also of what did not fit. */
HELPER(long, snprintf, (char *to, u32 size, const char *text, const u64 *data, u32 data_size))
{
    struct format format = { text, ~0u, data, data_size / 8 };
    if (data_size % 8 || data_size > MAX_ARGUMENTS * 8 || (data_size && !data))
        return -EINVAL;
    long length = bpf2native_rt_format(to, size, &format);
    return length < 0 ? length : length + 1;
}
