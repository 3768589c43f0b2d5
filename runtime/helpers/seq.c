/* Output of iterator programs: bpf_seq_printf and bpf_seq_write. In: a struct seq_file, which bpf2native_seq_* makes. Out:
   its buffer. The rule: what does not fit as a whole is not written, and -EOVERFLOW, after which the file counts as full. */
#include "helpers/format.h"
#include "helpers/seq.h"

extern void *calloc(u64 count, u64 size);
extern void free(void *memory);

HELPER(long, seq_printf, (struct seq_file *file, const char *text, u32 size, const u64 *data, u32 data_size))
{
    struct format format = { text, size, data, data_size / 8 };
    if (data_size % 8 || data_size > MAX_ARGUMENTS * 8 || (data_size && !data))
        return -EINVAL;
    if (file->count < file->size) {
        u64 left = file->size - file->count;
        long length = bpf2native_rt_format(file->buf + file->count, left, &format);
        if (length < 0)
            return length;
        file->count = (u64)length < left ? file->count + length : file->size;
    }
    return file->count < file->size ? 0 : -EOVERFLOW;
}

HELPER(long, seq_write, (struct seq_file *file, const void *data, u32 size))
{
    if (file->count + size >= file->size) {
        file->count = file->size;
        return -EOVERFLOW;
    }
    for (u32 i = 0; i < size; i++)
        file->buf[file->count++] = ((const char *)data)[i];
    return 0;
}

API(struct seq_file *, bpf2native_seq_new, (u64 size))
{
    struct seq_file *file = size > 1ul << 30 ? NULL : calloc(1, sizeof *file + size);
    if (file) {
        file->buf = (char *)(file + 1);
        file->size = size;
    }
    return file;
}

API(const char *, bpf2native_seq_text, (const struct seq_file *file, u64 *length))
{
    *length = file->count;
    return file->buf;
}

API(void, bpf2native_seq_free, (struct seq_file *file)) { free(file); }
