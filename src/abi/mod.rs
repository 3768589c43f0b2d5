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
//! | struct or union | 1 for each 8 bytes | by the platform's rules (`parts.rs`) |
//! | a result of `__int128` | r0, r2 | two integer registers |
//! | a struct result | a pointer in the first word | registers or a pointer, by the platform's rules |
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
pub mod libc;
mod parts;

use cranelift_codegen::ir::{AbiParam, ArgumentPurpose, Signature, types};
use cranelift_codegen::isa::CallConv;
use target_lexicon::Architecture;

use crate::btf::{CType, Prototype};
use parts::{Kind, Part, ResultAbi};

pub use call::{Entered, ResultWords};
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
    /// Windows, whose types differ on every architecture.
    pub is_windows: bool,
}

impl Platform {
    /// Whether a `va_list` is a struct, and not just the address of the next argument.
    pub fn has_va_list_struct(&self) -> bool {
        let is_struct =
            matches!(self.architecture, Architecture::X86_64 | Architecture::Aarch64(_) | Architecture::S390x);
        is_struct
            && !matches!(self.call_conv, CallConv::AppleAarch64 | CallConv::WindowsFastcall)
            && !self.is_windows
    }
}

/// How calls of one function cross the border.
#[derive(Clone, Debug)]
pub struct Abi {
    platform: Platform,
    parts: Vec<Part>,
    result: ResultAbi,
    /// Words beyond the parts are passed too: variadic, or without a prototype.
    variadic: bool,
}

impl Abi {
    /// A function without a prototype: `words` integers in, an integer out.
    pub fn raw(platform: Platform, words: usize) -> Abi {
        let parts = (0..words).map(Part::word).collect();
        Abi { platform, parts, result: ResultAbi::Word(Kind::WORD), variadic: false }
    }

    /// The same function, whose result is of this type: in two words if it has 128 bits, else in one.
    pub fn returning(self, result: &CType) -> Abi {
        match result {
            CType::Int { bytes: 16, .. } => Abi { result: ResultAbi::Pair, ..self },
            _ => self,
        }
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
        let architecture = platform.architecture;
        let result = parts::result(architecture, &prototype.result)?;
        let mut parts = Vec::new();
        let mut word = result.words();
        for parameter in &prototype.parameters {
            word = parts::parameter(architecture, &parameter.ty, word, &mut parts)?;
        }
        Ok(Abi { platform, parts, result, variadic: prototype.variadic })
    }

    /// How many words a call passes when it has set `stack` stack slots.
    pub fn words(&self, stack: u16) -> usize {
        let fixed = self.fixed_words();
        if !self.variadic {
            return fixed;
        }
        fixed.max(REGISTER_WORDS + usize::from(stack))
    }

    /// How many words a call takes that has `given` ones: all declared ones, and more only if it is variadic.
    pub fn accepted(&self, given: usize) -> usize {
        let fixed = self.fixed_words();
        if self.variadic { fixed.max(given) } else { fixed }
    }

    /// The native signature of a call that passes `words` words ([`Abi::words`]).
    pub fn signature(&self, words: usize) -> Signature {
        let mut signature = Signature::new(self.platform.call_conv);
        if self.result == ResultAbi::Memory {
            signature.params.push(AbiParam::special(WORD, ArgumentPurpose::StructReturn));
        }
        signature.params.extend(self.all_parts(words).map(|part| AbiParam::new(part.kind.ty())));
        signature.returns.extend(self.result_kinds().map(|kind| AbiParam::new(kind.ty())));
        signature
    }

    /// How many words the declared parameters take.
    fn fixed_words(&self) -> usize {
        let last = self.parts.iter().map(|part| part.word + 1).max().unwrap_or(0);
        last.max(self.result.words())
    }

    /// The native results.
    fn result_kinds(&self) -> impl Iterator<Item = Kind> + '_ {
        let (kinds, parts): (&[Kind], &[Part]) = match &self.result {
            ResultAbi::Memory => (&[], &[]),
            ResultAbi::Word(kind) => (std::slice::from_ref(kind), &[]),
            ResultAbi::Pair => (&[Kind::WORD; 2], &[]),
            ResultAbi::Registers { parts, .. } => (&[], parts),
        };
        kinds.iter().copied().chain(parts.iter().map(|part| part.kind))
    }

    /// Whether the words go as they are, so that a caller that knows nothing of the type can call it.
    pub fn is_plain(&self) -> bool {
        let is_word = |kind: Kind| matches!(kind, Kind::Int { .. });
        let result = match &self.result {
            ResultAbi::Memory => true,
            ResultAbi::Word(kind) => is_word(*kind),
            ResultAbi::Pair | ResultAbi::Registers { .. } => false,
        };
        result && self.parts.iter().all(|part| is_word(part.kind) && part.byte == 0)
    }

    /// Whether the callee counts on a narrow argument's upper bits, which a BPF caller leaves as they are.
    pub fn wants_extension(&self) -> bool {
        let whole_registers = matches!(self.platform.architecture, Architecture::S390x | Architecture::Riscv64(_));
        let is_narrow = |part: &Part| matches!(part.kind, Kind::Int { bits: ..64, .. });
        whole_registers && self.parts.iter().any(is_narrow)
    }

    /// The parts, and one for each word that the `...` takes.
    fn all_parts(&self, words: usize) -> impl Iterator<Item = Part> + '_ {
        let fixed = self.fixed_words();
        self.parts.iter().copied().chain((fixed..words).map(Part::word))
    }
}

/// The type of a BPF register.
pub const WORD: cranelift_codegen::ir::Type = types::I64;
