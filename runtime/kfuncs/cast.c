/* Casts that only the verifier sees, and the end of a program by bpf_throw. In: a pointer. Out: the same. */
#include "helpers/memory.h"

extern void abort(void) __attribute__((noreturn));

/* The kernel's context is the program's. */
KFUNC(void *, bpf_cast_to_kern_ctx, (void *context)) { return context; }

KFUNC(void *, bpf_rdonly_cast, (const void *pointer, u32 type)) { return (void *)pointer; }

/* There is no way back to the program's caller: the process ends. */
KFUNC(void, bpf_throw, (u64 cookie))
{
    char text[] = "bpf_throw: the program threw 0x................, which ends the process\n";
    char *digits = text + sizeof "bpf_throw: the program threw 0x" - 1;
    for (u32 i = 0; i < 16; i++) {
        u32 digit = cookie >> (60 - 4 * i) & 15;
        digits[i] = digit < 10 ? '0' + digit : 'a' + digit - 10;
    }
    write_error(text, sizeof text - 1);
    abort();
}
