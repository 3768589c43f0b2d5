/* libbpf's <bpf/bpf_helpers.h>, for the kernel half, and <bpf/libbpf.h>, for the user half, in one file. They are not made for
   that: both define `enum libbpf_tristate`. <bpf/bpf.h> cannot be had beside them: what it calls bpf_map_lookup_elem takes a
   file descriptor (bpf2native_map_fd), and is another function than the helper. */
#ifndef BPF2NATIVE_LIBBPF_H
#define BPF2NATIVE_LIBBPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define libbpf_tristate bpf2native_tristate_
#define TRI_NO BPF2NATIVE_TRI_NO_
#define TRI_YES BPF2NATIVE_TRI_YES_
#define TRI_MODULE BPF2NATIVE_TRI_MODULE_
#include <bpf/libbpf.h>
#undef libbpf_tristate
#undef TRI_NO
#undef TRI_YES
#undef TRI_MODULE

#endif
