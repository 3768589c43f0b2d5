//! `cflags`: the flags that make clang compile C for this translator.
//!
//! | flag | why |
//! |---|---|
//! | `-mcpu=v4` | signed division, sign-extending loads |
//! | `-fno-builtin` | clang refuses builtins of variable size for BPF; calls stay calls |
//! | `-bpf-stack-size=32768` | frames are native: 512 bytes are no limit; above this, LLVM cuts offsets off in silence |
//! | `-fstack-size-section` | says how large frames are; not with `--bpftool`, whose linker refuses it |
//! | `-I`, `-D__<machine>__` | the system's headers for the machine that the program runs on |
//! | `-isystem` | the folder that has `bpf2native.h` ([`header`]) |
//! | `-include` | builtins that LLVM drops for BPF (`bpf2native_builtins.h`); not with `--bpftool`, since the kernel has none |
//! | `-U_FORTIFY_SOURCE` | fortified calls are variadic and take more arguments than BPF passes |

use bpf2native::config::Target;

use super::args::Cflags;
use super::console::print;
use super::header;

/// Adds a section of relocations to the section of code, which libbpf's linker has no way to follow.
const STACK_SIZES: &str = "-fstack-size-section";

pub fn cflags(arguments: &Cflags) -> anyhow::Result<()> {
    let target = arguments.target.clone().unwrap_or_else(Target::host);
    let mut flags = flags(&target, arguments.full);
    if arguments.bpftool {
        flags.retain(|flag| flag != STACK_SIZES);
    }
    if let Some(folder) = header::folder(arguments.header_dir.as_deref())? {
        flags.push(format!("-isystem{}", folder.display()));
        if !arguments.bpftool {
            flags.extend(["-include", "bpf2native_builtins.h"].map(str::to_owned));
        }
    }
    print(&format!("{}\n", flags.join(" ")))
}

fn flags(target: &Target, full: bool) -> Vec<String> {
    let (machine, macros, bpf): (_, &[&str], _) = match target.machine().as_str() {
        "aarch64" => ("aarch64", &["__aarch64__"], "bpfel"),
        "riscv64" => ("riscv64", &["__riscv", "__riscv_xlen=64", "__riscv_float_abi_double"], "bpfel"),
        "s390x" => ("s390x", &["__s390__", "__s390x__"], "bpfeb"),
        _ => ("x86_64", &["__x86_64__"], "bpfel"),
    };
    let mut flags: Vec<String> =
        ["-target", bpf, "-O2", "-g", "-mcpu=v4", "-fno-builtin", "-U_FORTIFY_SOURCE", STACK_SIZES]
            .map(str::to_owned)
            .to_vec();
    flags.extend(["-mllvm", "-bpf-stack-size=32768"].map(str::to_owned));
    if full {
        flags.extend(["-mllvm", "-bpf-allows-libcalls"].map(str::to_owned));
    }
    // A cross compiler's headers have a folder of their own; the machine's own are in its multiarch folder.
    if target.machine() == Target::host().machine() {
        flags.push(format!("-I/usr/include/{machine}-linux-gnu"));
    } else {
        flags.extend(["-nostdlibinc".to_owned(), format!("-isystem/usr/{machine}-linux-gnu/include")]);
    }
    flags.extend(macros.iter().map(|name| format!("-D{name}")));
    flags
}
