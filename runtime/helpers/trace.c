/* What programs print: bpf_trace_printk, bpf_trace_vprintk (bpf_printk of libbpf is one of the two), bpf_stream_vprintk. In: formats. Out:
   a line each, to standard error, or to the function that bpf2native_set_trace sets. The rule: a line is written whole. */
#include "helpers/format.h"
#include "helpers/memory.h"

extern void *malloc(u64 size);
extern void free(void *memory);

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
            write_error(line, written);
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

static long print_data(const char *text, u32 size, const u64 *data, u32 data_size)
{
    struct format format = { text, size, data, data_size / 8 };
    if (data_size % 8 || data_size > MAX_ARGUMENTS * 8 || (data_size && !data))
        return -EINVAL;
    return print(&format);
}

HELPER(long, trace_vprintk, (const char *text, u32 size, const u64 *data, u32 data_size))
{
    return print_data(text, size, data, data_size);
}

/* A program's own streams, 1 and 2, are one here. */
KFUNC(s32, bpf_stream_vprintk_impl, (s32 stream, const char *text, const u64 *data, u32 data_size, void *program))
{
    long length = stream == 1 || stream == 2 ? print_data(text, ~0u, data, data_size) : -ENOENT;
    return length < 0 ? length : 0;
}
