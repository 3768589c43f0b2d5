/* The file that iterator programs write to: its first fields lie as in the kernel's. */
#ifndef BPF2NATIVE_RUNTIME_SEQ_H
#define BPF2NATIVE_RUNTIME_SEQ_H

#include "runtime.h"

struct seq_file {
    char *buf;
    u64 size;
    u64 from;
    u64 count;    /* bytes that are written; `size` after what did not fit */
    u64 rest[12]; /* zeros: the kernel's has 104 bytes and more */
};

#endif
