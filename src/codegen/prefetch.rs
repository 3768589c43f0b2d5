//! Prefetches, in the place of the calls that CLIF has for them.
//!
//! In: machine code and relocations as Cranelift made them. Out: the same, where each near call of the namespace [`PREFETCH`] is
//! the machine's instruction that prefetches for reading, by the register of the first argument, and has no relocation.
//!
//! | machine | call | in its place |
//! |---|---|---|
//! | x86-64 | `call rel32` | `prefetcht0 (%rdi)`, and a `nop` of two bytes |
//! | aarch64 | `bl` | `prfm pldl1keep, [x0]` |
//! | riscv64 | `auipc`, `jalr` | `prefetch.r 0(a0)` (Zicbop; elsewhere it is `ori zero, a0, 1`, which does nothing), and a `nop` |
//! | s390x | `brasl` | `pfd 1, 0(%r2)` |
//!
//! The rule: the instruction is as long as the call, so nothing else moves. It changes no register, and the call's convention
//! ([`PreserveAll`](cranelift_codegen::isa::CallConv::PreserveAll)) says so; an address that is not there does not fault.

use cranelift_codegen::binemit::Reloc;
use cranelift_module::{ModuleReloc, ModuleRelocTarget};

use crate::declarations::PREFETCH;

/// What takes a call's place.
struct InPlace {
    /// Bytes from the start of the call to its relocation.
    before: usize,
    bytes: &'static [u8],
}

/// Puts the instruction in the place of each call of it.
pub(super) fn replace_calls(code: &mut [u8], relocations: &mut Vec<ModuleReloc>) {
    relocations.retain(|relocation| {
        let ModuleRelocTarget::User { namespace: PREFETCH, .. } = relocation.name else { return true };
        let InPlace { before, bytes } = in_place(relocation.kind);
        let start = relocation.offset as usize - before;
        code[start..start + bytes.len()].copy_from_slice(bytes);
        false
    });
}

fn in_place(call: Reloc) -> InPlace {
    let (before, bytes): (_, &[u8]) = match call {
        Reloc::X86CallPCRel4 => (1, &[0x0f, 0x18, 0x0f, 0x66, 0x90]),
        Reloc::Arm64Call => (0, &[0x00, 0x00, 0x80, 0xf9]),
        Reloc::RiscvCallPlt => (0, &[0x13, 0x60, 0x15, 0x00, 0x13, 0x00, 0x00, 0x00]),
        Reloc::S390xPLTRel32Dbl => (2, &[0xe3, 0x10, 0x20, 0x00, 0x00, 0x36]),
        other => unreachable!("a near call with a relocation of {other:?}"),
    };
    InPlace { before, bytes }
}
