/* Text from a format, as bpf_snprintf and bpf_trace_printk make it. */
#ifndef BPF2NATIVE_RUNTIME_FORMAT_H
#define BPF2NATIVE_RUNTIME_FORMAT_H

#include "runtime.h"

/* The kernel takes at most that many arguments. */
enum { MAX_ARGUMENTS = 12 };

/* A format and what is put into it. */
struct format {
    const char *text;
    u64 size;        /* the text ends with a 0 in so many bytes */
    const u64 *arguments;
    u32 count;       /* of the arguments */
};

/* Writes to `out`, which has `size` bytes, as much as it takes, with a 0 at the end. The length of the whole, without the
   0; -EINVAL, with nothing written, if the format is not one that the kernel takes. */
extern long bpf2native_rt_format(char *out, u64 size, const struct format *format);

#endif
