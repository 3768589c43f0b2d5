/* What programs print: bpf_trace_printk and bpf_trace_vprintk (bpf_printk of libbpf is one of the two). In: formats. Out:
   a line each, to standard error, or to the function that bpf2native_set_trace sets. The rule: a line is written whole. */
#include "helpers/format.h"

extern void *malloc(u64 size);
extern void free(void *memory);
extern s64 write(int fd, const void *buffer, u64 size);

/* The kernel's: longer lines are cut off. */
enum { LINE = 1024 };

typedef void (*trace_callback)(const char *text, u64 length);

static trace_callback callback;

API(void, bpf2native_set_trace, (trace_callback function)) { callback = function; }

static long print(const struct format *format)
{
    char *line = malloc(LINE + 1);
    if (!line)
        return -ENOMEM;
    long length = bpf2native_rt_format(line, LINE, format);
    if (length >= 0) {
        u64 written = length < LINE ? length : LINE - 1;
        if (!written || line[written - 1] != '\n')
            line[written++] = '\n';
        trace_callback to = callback;
        if (to)
            to(line, written);
        else
            write(2, line, written);
    }
    free(line);
    return length;
}

/* The length of the text. */
HELPER(long, trace_printk, (const char *text, u32 size, u64 one, u64 two, u64 three))
{
    u64 arguments[] = { one, two, three };
    struct format format = { text, size, arguments, 3 };
    return print(&format);
}

HELPER(long, trace_vprintk, (const char *text, u32 size, const u64 *data, u32 data_size))
{
    struct format format = { text, size, data, data_size / 8 };
    if (data_size % 8 || data_size > MAX_ARGUMENTS * 8 || (data_size && !data))
        return -EINVAL;
    return print(&format);
}
