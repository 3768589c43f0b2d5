/* Memory that may not be there, read and written: what memory.h says. In: any address. Out: -EFAULT in place of a fault.
   The rule: the kernel copies, which checks each page: process_vm_readv of this process, and where that may not be called
   (seccomp) or does not exist (QEMU's user mode), a pipe. There is no faster way that is sure: an address says nothing. */
#include "bpf2native.h"
#include "helpers/memory.h"

extern s32 getpid(void);
extern s64 process_vm_readv(s32 pid, const struct area *own, u64 owns, const struct area *other, u64 others, u64 flags);
extern s64 process_vm_writev(s32 pid, const struct area *own, u64 owns, const struct area *other, u64 others, u64 flags);
extern int pipe(int *ends);
/* Not read, as not write: programs have variables of these names. */
extern s64 readv(int fd, const struct area *areas, s32 count);
extern int close(int fd);
extern int *__errno_location(void);

/* What a pipe takes at once, whatever else is in it: PIPE_BUF. */
enum { CHUNK = 4096 };

/* What is read of a string at once. */
enum { BLOCK = 256 };

/* Numbers of errors are positive where libc says them. */
static u32 not_to_be_had(void)
{
    int error = *__errno_location();
    return error == ENOSYS || error == EPERM;
}

/* Through a pipe, whose both ends the kernel checks. */
static long piped(char *to, u64 size, const char *from)
{
    int ends[2];
    if (pipe(ends))
        return -EFAULT;
    while (size) {
        s64 some = size < CHUNK ? size : CHUNK;
        struct area source = { (void *)from, some }, target = { to, some };
        if (writev(ends[1], &source, 1) != some || readv(ends[0], &target, 1) != some)
            break;
        from += some;
        to += some;
        size -= some;
    }
    close(ends[0]);
    close(ends[1]);
    return size ? -EFAULT : 0;
}

weak long bpf2native_rt_read(void *to, u64 size, const void *from)
{
    struct area own = { to, size }, other = { (void *)from, size };
    s64 copied = bpf2native_call(process_vm_readv, getpid(), &own, 1ul, &other, 1ul, 0ul);
    if (copied == (s64)size)
        return 0;
    return copied < 0 && not_to_be_had() ? piped(to, size, from) : -EFAULT;
}

weak long bpf2native_rt_write(void *to, u64 size, const void *from)
{
    struct area own = { (void *)from, size }, other = { to, size };
    s64 copied = bpf2native_call(process_vm_writev, getpid(), &own, 1ul, &other, 1ul, 0ul);
    if (copied == (s64)size)
        return 0;
    return copied < 0 && not_to_be_had() ? piped(to, size, from) : -EFAULT;
}

/* In blocks that end where a power of two does, so that none reaches into a page that the string is not in. What is after
   the string's end stays as it was. */
weak long bpf2native_rt_read_string(void *to, u64 size, const void *from)
{
    char *out = to, bytes[BLOCK];
    const char *in = from;
    for (u64 done = 0; done < size;) {
        u64 block = BLOCK - ((u64)in + done) % BLOCK;
        if (block > size - done)
            block = size - done;
        if (bpf2native_rt_read(bytes, block, in + done))
            return -EFAULT;
        for (u64 i = 0; i < block; i++) {
            out[done++] = bytes[i];
            if (!bytes[i])
                return done;
        }
    }
    if (size)
        out[size - 1] = 0;
    return size;
}
