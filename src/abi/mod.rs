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
//! | `__int128` | 2, as in memory: the low one first, the high one first on a big-endian machine | two integer registers; the address of a copy on s390x |
//! | struct or union | 1 for each 8 bytes, as in memory; one of less than 8 bytes as an integer of that size | by the platform's rules (`parts.rs`) |
//! | a result of `__int128` | r0, r2, as in memory | two integer registers; through a pointer on s390x |
//! | a struct result, of clang up to 22 or of more than 16 bytes | a pointer in the first word | registers or a pointer, by the platform's rules |
//! | a struct result of up to 16 bytes, of clang from 23 on | r0, r2, as an argument would be | the same |
//! | a result of two words whose type nothing says (`graph::results`) | r0, r2 | two integer registers |
//!
//! Two integer registers are those that C returns a struct of two integers in: rax and rdx, x0 and x1, a0 and a1. On s390x
//! C returns no such struct in registers; r2 and r3 are used between BPF functions. A caller that reads one word of a
//! function that returns two has that one, on every machine, and one that reads two words of a function that returns one
//! has any value as the second: so calls through pointers and functions agree without knowing of each other.
//!
//! Which register or stack slot an argument gets is decided in `place.rs`, for each platform by its own rules, and
//! proven by `tests/programs/abi_pairs.rs`.
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
//! Results are extended too: a BPF callee leaves garbage above a narrow one, and where the platform lets a caller count
//! on more (riscv64, s390x), it is taken away. A BPF caller extends results itself.
//!
//! Calls whose type nothing says:
//!
//! | call | what happens |
//! |---|---|
//! | a symbol that neither BTF nor the table of libc's functions declares | its words go as integers, those of the five that may have a value and what the stack has; the result is an integer |
//! | `callx` of an address that is no function of the program and of no import whose address it takes | the same: right for up to 64-bit integers and pointers on x86-64 and aarch64; on riscv64 and s390x only if the BPF code has extended narrow ones to 64 bits |
//! | `callx` of a function whose address the program takes, with floats, structs, `__int128`, or (an import on riscv64 or s390x) narrow integers | found by its address, and called by its type ([`crate::declarations::adapters`]) |
//! | native code calls a BPF function by its address | every function that is global or whose address is taken has its native type; without BTF that is integers |
//! | libc's functions of `long double`, which is a `double` in BPF | their forms for `double` (`long_double.rs`); of another function of that type, a warning says that native code does not get it |
//! | the `...` of a function | its words go as integers: right for integers and pointers, and for a `double` on riscv64. For libc's printing functions, see `lift/variadic.rs`. A `double` for another function's `...` does not arrive, nor does what has 16 bytes |

mod call;
pub mod helpers;
pub mod libc;
pub mod libcalls;
pub(crate) mod long_double;
mod parts;
mod place;
mod platform;
mod table;

use cranelift_codegen::ir::{AbiParam, ArgumentPurpose, Signature};
use target_lexicon::Architecture;

use crate::btf::Prototype;
use crate::program::StructResult;
use parts::{Part, PartKind, ResultAbi};
use place::{ArgumentSlot, Placement};

pub use call::{EntryValues, ResultWords};
pub use parts::AbiError;
pub(crate) use parts::{LARGEST_STRUCT, parameter_words, result_words, word_count};
pub use platform::{Platform, REGISTER_WORDS, WORD};

/// How calls of one function cross the border.
#[derive(Clone, Debug)]
pub struct Abi {
    platform: Platform,
    /// The declared parameters.
    declared: Placement,
    /// How many words they take, with the pointer to the result.
    words: usize,
    result: ResultAbi,
    /// Words beyond the declared ones are passed too: variadic, or without a prototype.
    variadic: bool,
}

impl Abi {
    /// A function without a prototype: `words` integers in, an integer out.
    pub fn raw(platform: Platform, words: usize) -> Abi {
        let mut declared = Placement::new(platform);
        (0..words).for_each(|word| declared.word(word));
        Abi { platform, declared, words, result: ResultAbi::Word(PartKind::WORD), variadic: false }
    }

    /// The same function, whose result is two words if its type does not say what it is.
    pub fn returning_two_words(self) -> Abi {
        match self.result {
            ResultAbi::Word(PartKind::WORD) => Abi { result: ResultAbi::Pair, ..self },
            _ => self,
        }
    }

    /// The same function, whose result no caller looks at.
    pub fn returning_nothing(self) -> Abi {
        Abi { result: ResultAbi::Nothing, ..self }
    }

    /// A function without a prototype that may be variadic: all the words of each call are passed.
    pub fn unknown(platform: Platform) -> Abi {
        Abi { variadic: true, ..Abi::raw(platform, 0) }
    }

    /// The same function, of which a call may pass more words than it takes.
    pub fn taking_more(self) -> Abi {
        Abi { variadic: true, ..self }
    }

    /// A function of this prototype; `structs` says where BPF code has a struct of up to 16 bytes that it returns.
    ///
    /// # Errors
    ///
    /// [`AbiError`] for a type that cannot cross the border.
    pub fn new(platform: Platform, prototype: &Prototype, structs: StructResult) -> Result<Abi, AbiError> {
        let result = parts::result(platform, &prototype.result, structs)?;
        let mut declared = Placement::new(platform);
        match result {
            ResultAbi::Memory => declared.result(ArgumentSlot::Result),
            ResultAbi::PairInMemory => declared.result(ArgumentSlot::PairResult),
            ResultAbi::WordsInMemory { size: 1.. } => declared.result(ArgumentSlot::WordsResult),
            ResultAbi::Nothing
            | ResultAbi::Word(_)
            | ResultAbi::Pair
            | ResultAbi::Parts { .. }
            | ResultAbi::WordsInMemory { .. }
            | ResultAbi::Registers { .. } => {}
        }
        let mut words = result.words();
        for parameter in &prototype.parameters {
            words = declared.parameter(&parameter.ty, words)?;
        }
        Ok(Abi { platform, declared, words, result, variadic: prototype.variadic })
    }

    /// How many words a call passes when it has set `stack` stack slots.
    pub fn words(&self, stack: u16) -> usize {
        if !self.variadic {
            return self.words;
        }
        self.words.max(REGISTER_WORDS + usize::from(stack))
    }

    /// How many words a call takes that has `given` ones: all declared ones, and more only if it is variadic.
    pub fn accepted(&self, given: usize) -> usize {
        if self.variadic { self.words.max(given) } else { self.words }
    }

    /// The native signature of a call that passes `words` words ([`Abi::words`]).
    pub fn signature(&self, words: usize) -> Signature {
        let mut signature = Signature::new(self.platform.call_conv);
        signature.params.extend(self.slots(words).into_iter().map(|slot| match slot {
            ArgumentSlot::Result | ArgumentSlot::WordsResult => {
                AbiParam::special(WORD, ArgumentPurpose::StructReturn)
            }
            slot => AbiParam::new(slot.ty()),
        }));
        signature.returns.extend(self.result_kinds().map(|kind| AbiParam::new(kind.ty())));
        signature
    }

    /// How many of r0 and r2 it returns.
    pub fn returned_words(&self) -> usize {
        match self.result {
            ResultAbi::Nothing | ResultAbi::Registers { .. } | ResultAbi::Memory => 0,
            ResultAbi::Word(_) => 1,
            ResultAbi::Pair | ResultAbi::PairInMemory => 2,
            ResultAbi::Parts { size, .. } | ResultAbi::WordsInMemory { size } => size.div_ceil(8) as usize,
        }
    }

    /// The native results.
    fn result_kinds(&self) -> impl Iterator<Item = PartKind> + '_ {
        let (kinds, parts): (&[PartKind], &[Part]) = match &self.result {
            ResultAbi::Nothing | ResultAbi::Memory | ResultAbi::PairInMemory | ResultAbi::WordsInMemory { .. } => {
                (&[], &[])
            }
            ResultAbi::Word(kind) => (std::slice::from_ref(kind), &[]),
            ResultAbi::Pair => (&[PartKind::WORD; 2], &[]),
            ResultAbi::Registers { parts, .. } | ResultAbi::Parts { parts, .. } => (&[], parts),
        };
        kinds.iter().copied().chain(parts.iter().map(|part| part.kind))
    }

    /// Whether the words go as they are, so that a caller that knows nothing of the type can call it.
    pub fn is_plain(&self) -> bool {
        let result = match &self.result {
            ResultAbi::Nothing | ResultAbi::Memory | ResultAbi::Pair => true,
            ResultAbi::Word(kind) => !kind.is_float(),
            ResultAbi::Parts { parts, .. } => parts.iter().enumerate().all(|(index, part)| part.is_word(index)),
            ResultAbi::WordsInMemory { size } => *size == 0,
            ResultAbi::PairInMemory | ResultAbi::Registers { .. } => false,
        };
        // What follows a word that is not passed, padding of a struct, would come one place later.
        let is_whole = !self.variadic || self.declared.slots().len() == self.words;
        result && is_whole && self.declared.is_plain()
    }

    /// Whether the callee counts on a narrow argument's upper bits, which a BPF caller leaves as they are.
    pub fn wants_extension(&self) -> bool {
        let whole_registers = matches!(self.platform.architecture, Architecture::S390x | Architecture::Riscv64(_));
        whole_registers && self.declared.has_narrow()
    }

    /// The native arguments of a call that passes so many words.
    fn slots(&self, words: usize) -> Vec<ArgumentSlot> {
        if words <= self.words {
            return self.declared.slots();
        }
        let mut all = self.declared.clone();
        (self.words..words).for_each(|word| all.word(word));
        all.slots()
    }
}
