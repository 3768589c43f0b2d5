//! The border between BPF code and native code: the one place that decides how a call crosses it.
//!
//! Comes in: a C prototype, or the number of registers where there is none. Goes out: an [`Abi`], which has the
//! native signature, and turns the 64-bit words that BPF passes into native arguments and back.
//!
//! BPF passes a call's arguments as 64-bit *words*: r1 to r5, then stack slots. Natively:
//!
//! | C type | words | native |
//! |---|---|---|
//! | integers up to 64 bits, pointers | 1 | an integer register, extended as below |
//! | `float`, `double` | 1, its bits | a floating-point register |
//! | `__int128` | 2, low first | two integer registers |
//! | struct or union up to 16 bytes, of integers | 1 or 2 | as many integer registers |
//! | other structs | | not supported: an error |
//!
//! Narrow integers. A BPF caller leaves garbage above 32 bits, and a BPF callee takes its `char`, `short` and `bool`
//! parameters to be extended: to 32 bits (-mcpu=v3, v4) or to 64 (v1, v2). So, from native to BPF, those are extended
//! to 64 bits. From BPF to native:
//!
//! | target | an integer narrower than 64 bits is |
//! |---|---|
//! | x86-64, aarch64 | extended to 32 bits by its type (psABI: the caller's job by custom; Apple's by rule) |
//! | riscv64 | extended to 32 bits by its type, then sign-extended (psABI: unsigned ones too) |
//! | s390x | extended to 64 bits by its type |
//!
//! Results need nothing: the caller extends them, on all sides.

mod call;
pub mod helpers;
mod parts;

use cranelift_codegen::ir::{AbiParam, Signature, types};
use cranelift_codegen::isa::CallConv;
use target_lexicon::Architecture;

use crate::btf::Prototype;
use parts::Part;

pub use parts::AbiError;
pub(crate) use parts::word_count;

/// How many words BPF passes in registers.
pub const REGISTER_WORDS: usize = 5;

/// The platform whose calling convention holds at the border.
#[derive(Clone, Copy, Debug)]
pub struct Platform {
    /// The C calling convention.
    pub call_conv: CallConv,
    /// Which decides how narrow integers are extended.
    pub architecture: Architecture,
}

/// How calls of one function cross the border.
#[derive(Clone, Debug)]
pub struct Abi {
    platform: Platform,
    parts: Vec<Part>,
    result: Option<Part>,
    /// Words beyond the parts are passed too: variadic, or without a prototype.
    variadic: bool,
}

impl Abi {
    /// A function without a prototype: `words` integers in, an integer out.
    pub fn raw(platform: Platform, words: usize) -> Abi {
        let parts = (0..words).map(Part::word).collect();
        Abi { platform, parts, result: Some(Part::word(0)), variadic: false }
    }

    /// A function without a prototype that may be variadic: all the words of each call are passed.
    pub fn unknown(platform: Platform) -> Abi {
        Abi { variadic: true, ..Abi::raw(platform, 0) }
    }

    /// A function of this prototype.
    ///
    /// # Errors
    ///
    /// [`AbiError`] for a type that cannot cross the border.
    pub fn new(platform: Platform, prototype: &Prototype) -> Result<Abi, AbiError> {
        let mut parts = Vec::new();
        let mut word = 0;
        for parameter in &prototype.parameters {
            word = parts::parameter(&parameter.ty, word, &mut parts)?;
        }
        let result = parts::result(&prototype.result)?;
        Ok(Abi { platform, parts, result, variadic: prototype.variadic })
    }

    /// How many words a call passes when it has set `stack` stack slots.
    pub fn words(&self, stack: u16) -> usize {
        let fixed = self.parts.iter().map(|part| part.word + 1).max().unwrap_or(0);
        if !self.variadic {
            return fixed;
        }
        fixed.max(REGISTER_WORDS + usize::from(stack))
    }

    /// The native signature of a call that passes `words` words ([`Abi::words`]).
    pub fn signature(&self, words: usize) -> Signature {
        let mut signature = Signature::new(self.platform.call_conv);
        signature.params.extend(self.all_parts(words).map(|part| AbiParam::new(part.ty())));
        signature.returns.extend(self.result.map(|part| AbiParam::new(part.ty())));
        signature
    }

    /// The parts, and one for each word that the `...` takes.
    fn all_parts(&self, words: usize) -> impl Iterator<Item = Part> + '_ {
        let fixed = self.parts.iter().map(|part| part.word + 1).max().unwrap_or(0);
        self.parts.iter().copied().chain((fixed..words).map(Part::word))
    }
}

/// The type of a BPF register.
pub const WORD: cranelift_codegen::ir::Type = types::I64;
