/* Builtins that LLVM drops for BPF without a word. `bpf2native cflags` has this header included in front of each file, so that sources
   stay as they are.

       __builtin_prefetch(address, ...)   the machine's prefetch for reading, near to the processor whatever the other arguments say

   So an object with a prefetch is for bpf2native only. Compiled for another machine than BPF, or by the assembler, this is empty. */
#ifndef BPF2NATIVE_BUILTINS_H
#define BPF2NATIVE_BUILTINS_H

#if defined(__BPF__) && !defined(__ASSEMBLER__)

#ifdef __cplusplus
extern "C"
#else
extern
#endif
void __bpf2native_prefetch(const volatile void *);

#define __builtin_prefetch(...) B2N_PREFETCH_(__VA_ARGS__, )
#define B2N_PREFETCH_(address, ...) __bpf2native_prefetch(address)

#endif
#endif
