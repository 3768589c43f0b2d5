//! The platform at the border, as far as calls depend on it.

use cranelift_codegen::ir::{Type, types};
use cranelift_codegen::isa::CallConv;
use target_lexicon::Architecture;

/// How many words BPF passes in registers.
pub const REGISTER_WORDS: usize = 5;

/// The platform whose calling convention holds at the border.
#[derive(Clone, Copy, Debug)]
pub struct Platform {
    /// The C calling convention.
    pub call_conv: CallConv,
    /// Which decides how narrow integers are extended.
    pub architecture: Architecture,
    /// Windows, whose types differ on every architecture.
    pub is_windows: bool,
    /// aarch64 with its Large System Extensions: most atomics are one instruction.
    pub has_lse: bool,
}

impl Platform {
    /// Whether a compare-and-swap of 32 bits compares whole registers: Cranelift 0.135's loop for aarch64 without LSE,
    /// which takes the expected value as it is, with anything above it.
    pub fn compares_registers(&self) -> bool {
        matches!(self.architecture, Architecture::Aarch64(_)) && !self.has_lse
    }

    /// Whether a `va_list` is a struct, and not just the address of the next argument.
    pub fn has_va_list_struct(&self) -> bool {
        let is_struct =
            matches!(self.architecture, Architecture::X86_64 | Architecture::Aarch64(_) | Architecture::S390x);
        is_struct
            && !matches!(self.call_conv, CallConv::AppleAarch64 | CallConv::WindowsFastcall)
            && !self.is_windows
    }
}

/// The type of a BPF register.
pub const WORD: Type = types::I64;
