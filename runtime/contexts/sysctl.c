/* Helpers of programs on kernel parameters (struct bpf_sysctl, which a test fills in itself): what is read or written
   is what bpf2native_sysctl was told. */
#include "contexts/packet.h"

enum { BPF_F_SYSCTL_BASE_NAME = 1, VALUE_BYTES = PAGE };

struct sysctl {
    u32 write, file_pos;
};

static const char *parameter, *current_value;
static char new_value[VALUE_BYTES];
static u64 new_length;

static u64 length_of(const char *text) {
    u64 length = 0;
    while (text && text[length]) length++;
    return length;
}

/* copy_sysctl_value: the length, or -E2BIG for what was cut off. */
static long copy(char *to, u64 size, const char *from, u64 length) {
    if (!size) return -E2BIG;
    if (!from || !length) {
        memset(to, 0, size);
        return -EINVAL;
    }
    memcpy(to, from, size < length ? size : length);
    if (size > length) {
        memset(to + length, 0, size - length);
        return length;
    }
    to[size - 1] = 0;
    return -E2BIG;
}

API(int, bpf2native_sysctl, (const char *name, const char *current, const char *written)) {
    u64 length = length_of(written);
    if (length >= VALUE_BYTES) return -E2BIG;
    parameter = name;
    current_value = current;
    memset(new_value, 0, sizeof new_value);
    if (length) memcpy(new_value, written, length);
    new_length = length;
    return 0;
}

API(const char *, bpf2native_sysctl_new_value, (void)) {
    return new_value;
}

HELPER(long, sysctl_get_name, (struct sysctl *context, char *to, u64 size, u64 flags)) {
    const char *name = parameter;
    if (!name) return -EINVAL;
    if (flags & BPF_F_SYSCTL_BASE_NAME)
        for (const char *at = name; *at; at++)
            if (*at == '/') name = at + 1;
    return copy(to, size, name, length_of(name));
}

HELPER(long, sysctl_get_current_value, (struct sysctl *context, char *to, u64 size)) {
    return copy(to, size, current_value, length_of(current_value));
}

HELPER(long, sysctl_get_new_value, (struct sysctl *context, char *to, u64 size)) {
    if (!context->write) {
        memset(to, 0, size);
        return -EINVAL;
    }
    return copy(to, size, new_value, new_length);
}

HELPER(long, sysctl_set_new_value, (struct sysctl *context, const char *from, u64 size)) {
    if (!context->write || !new_length || !size) return -EINVAL;
    if (size > VALUE_BYTES - 1) return -E2BIG;
    memset(new_value, 0, sizeof new_value);
    memcpy(new_value, from, size);
    new_length = size;
    return 0;
}
