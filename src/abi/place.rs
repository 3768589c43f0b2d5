//! Where native arguments go: the rules for when registers run out, which differ by platform.
//!
//! In: the parameters, in order. Out: [`ArgumentSlot`]s in the order of a Cranelift signature: integer registers, FP
//! registers, then what fills the integer registers up, then stack slots of 8 bytes. Cranelift gives out registers in
//! that same order and puts further integers on the stack, so it places each where it belongs.
//!
//! | | integer, FP registers | a struct that does not fit the rest | 16-byte alignment | a float without a register |
//! |---|---|---|---|---|
//! | x86-64 (psABI 3.2.3) | 6, 8 | wholly on the stack; later arguments still get registers | on the stack | on the stack |
//! | aarch64 (AAPCS64 6.8.2) | 8, 8 | wholly on the stack, and that kind of register is used up | an even register; on the stack | on the stack |
//! | riscv64 (lp64d) | 8, 8 | of floats: as of integers; 8 bytes in the last register, 8 on the stack | on the stack | in an integer register |
//! | s390x (ELF ABI 1.2.3) | 5, 4 | has one register at most | none | on the stack |
//!
//! Apple's and Windows' conventions are Cranelift's own: each argument in its turn.

use cranelift_codegen::ir::{Type, types};
use cranelift_codegen::isa::CallConv;
use target_lexicon::Architecture;

use super::parts::{self, AbiError, Part, PartKind, Passed};
use super::platform::{Platform, WORD};
use crate::btf::{Aggregate, CType};

/// What an argument is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArgumentSlot {
    /// The address of the result, which is BPF's first word too.
    Result,
    /// The address of an `__int128` result, which BPF has in registers.
    PairResult,
    /// The address of a struct result, which BPF has in registers.
    WordsResult,
    /// Bytes of words.
    Part(Part),
    /// The address of a copy of a struct, or of an `__int128`.
    Reference {
        /// Its first word.
        word: usize,
        /// Bytes.
        size: u32,
    },
    /// An integer register that is left out, or padding between stack slots: any value.
    Padding,
    /// An FP register that is left out.
    FloatPadding,
}

impl ArgumentSlot {
    /// The type of the native value.
    pub fn ty(self) -> Type {
        match self {
            ArgumentSlot::Part(part) => part.kind.ty(),
            ArgumentSlot::Result
            | ArgumentSlot::PairResult
            | ArgumentSlot::WordsResult
            | ArgumentSlot::Reference { .. }
            | ArgumentSlot::Padding => WORD,
            ArgumentSlot::FloatPadding => types::F64,
        }
    }
}

/// Arguments as they are placed.
#[derive(Clone, Debug)]
pub(super) struct Placement {
    platform: Platform,
    /// How many integer and FP registers there are; none where Cranelift places each argument in its turn.
    limits: Option<(usize, usize)>,
    /// The address of the result, in a register of its own kind.
    result: Option<ArgumentSlot>,
    integers: Vec<ArgumentSlot>,
    floats: Vec<ArgumentSlot>,
    stack: Vec<ArgumentSlot>,
}

impl Placement {
    pub fn new(platform: Platform) -> Placement {
        let own = matches!(platform.call_conv, CallConv::AppleAarch64 | CallConv::WindowsFastcall);
        let limits = match platform.architecture {
            _ if own || platform.is_windows => None,
            Architecture::X86_64 => Some((6, 8)),
            Architecture::Aarch64(_) | Architecture::Riscv64(_) => Some((8, 8)),
            Architecture::S390x => Some((5, 4)),
            _ => None,
        };
        Placement { platform, limits, result: None, integers: Vec::new(), floats: Vec::new(), stack: Vec::new() }
    }

    /// The address of the result, which comes first.
    pub fn result(&mut self, slot: ArgumentSlot) {
        // x8 on aarch64.
        if matches!(self.platform.architecture, Architecture::Aarch64(_)) || self.limits.is_none() {
            self.result = Some(slot);
        } else {
            self.integer(slot);
        }
    }

    /// A parameter whose first word is `word`; returns the next one's.
    pub fn parameter(&mut self, ty: &CType, word: usize) -> Result<usize, AbiError> {
        match ty {
            CType::Int { bytes: 16, .. } => self.wide_integer(word),
            CType::Aggregate(aggregate) => self.aggregate(aggregate, word)?,
            _ => match parts::scalar(ty) {
                Some(kind) if kind.is_float() => self.float(Part::scalar(word, kind)),
                Some(kind) => self.integer(ArgumentSlot::Part(Part::scalar(word, kind))),
                None => {}
            },
        }
        Ok(word + parts::parameter_words(ty))
    }

    /// A word that nothing is known of.
    pub fn word(&mut self, word: usize) {
        self.integer(ArgumentSlot::Part(Part::word(word)));
    }

    /// All arguments, in the order of the signature.
    pub fn slots(&self) -> Vec<ArgumentSlot> {
        let unused = if self.stack.is_empty() { 0 } else { self.integers_left() };
        let all = self.result.iter().chain(&self.integers).chain(&self.floats).copied();
        all.chain(std::iter::repeat_n(ArgumentSlot::Padding, unused)).chain(self.stack.iter().copied()).collect()
    }

    /// Whether words that are passed as integers, in order, arrive in the same places.
    pub fn is_plain(&self) -> bool {
        let is_word = |(index, slot): (usize, ArgumentSlot)| match slot {
            ArgumentSlot::Part(Part { word, byte: 0, kind: PartKind::Int { .. }, .. }) => word == index,
            ArgumentSlot::Result => index == 0,
            _ => false,
        };
        self.result.is_none() && self.slots().into_iter().enumerate().all(is_word)
    }

    /// Whether an integer narrower than a word is among them.
    pub fn has_narrow(&self) -> bool {
        let is_narrow =
            |slot| matches!(slot, ArgumentSlot::Part(Part { kind: PartKind::Int { bits: ..64, .. }, .. }));
        self.slots().into_iter().any(is_narrow)
    }

    fn integers_left(&self) -> usize {
        self.limits.map_or(usize::MAX, |(integers, _)| integers.saturating_sub(self.integers.len()))
    }

    fn floats_left(&self) -> usize {
        self.limits.map_or(usize::MAX, |(_, floats)| floats.saturating_sub(self.floats.len()))
    }

    fn integer(&mut self, slot: ArgumentSlot) {
        let list = if self.integers_left() > 0 { &mut self.integers } else { &mut self.stack };
        list.push(slot);
    }

    fn float(&mut self, part: Part) {
        let is_riscv = matches!(self.platform.architecture, Architecture::Riscv64(_));
        match self.limits {
            // In their turn, whatever register that is.
            None => self.integers.push(ArgumentSlot::Part(part)),
            Some(_) if self.floats_left() > 0 => self.floats.push(ArgumentSlot::Part(part)),
            Some(_) if is_riscv => self.word(part.word),
            Some(_) => self.stack.push(ArgumentSlot::Part(Part::word(part.word))),
        }
    }

    /// `__int128`.
    fn wide_integer(&mut self, word: usize) {
        let is_windows = self.platform.is_windows && self.platform.architecture == Architecture::X86_64;
        if self.platform.architecture == Architecture::S390x || is_windows {
            self.integer(ArgumentSlot::Reference { word, size: 16 });
            return;
        }
        self.words(word, 2, true, true);
    }

    fn aggregate(&mut self, aggregate: &Aggregate, word: usize) -> Result<(), AbiError> {
        if aggregate.size == 0 {
            return Ok(());
        }
        let words = (aggregate.size as usize).div_ceil(8);
        let aligned = parts::align(aggregate) >= 16;
        let parts = match parts::passed(self.platform, aggregate, word)? {
            Passed::Parts(parts) => parts,
            Passed::Stack => {
                self.stack_words(word, words, aligned);
                return Ok(());
            }
            Passed::Reference => {
                self.integer(ArgumentSlot::Reference { word, size: aggregate.size });
                return Ok(());
            }
        };
        if self.limits.is_none() {
            self.integers.extend(parts.into_iter().map(ArgumentSlot::Part));
            return Ok(());
        }
        let floats = parts.iter().filter(|part| part.kind.is_float()).count();
        let fits = floats <= self.floats_left() && parts.len() - floats <= self.integers_left();
        match self.platform.architecture {
            Architecture::Aarch64(_) | Architecture::Riscv64(_) if floats == 0 => {
                self.words(word, words, parts::natural_align(aggregate) >= 16, aligned);
            }
            Architecture::S390x => {
                for part in parts {
                    if part.kind.is_float() {
                        self.float(part);
                    } else {
                        self.integer(ArgumentSlot::Part(part));
                    }
                }
            }
            _ if fits => {
                for part in parts {
                    let list = if part.kind.is_float() { &mut self.floats } else { &mut self.integers };
                    list.push(ArgumentSlot::Part(part));
                }
            }
            Architecture::Riscv64(_) => self.words(word, words, false, aligned),
            Architecture::Aarch64(_) => {
                // AAPCS64 C.3: no later one goes to a register either.
                let unused = self.floats_left();
                self.floats.extend(std::iter::repeat_n(ArgumentSlot::FloatPadding, unused));
                self.stack_words(word, words, false);
            }
            _ => self.stack_words(word, words, aligned),
        }
        Ok(())
    }

    /// Words that belong together: in integer registers, or on the stack. `even`: their type is aligned to 16 bytes;
    /// `aligned`: so it is with what attributes add.
    fn words(&mut self, word: usize, count: usize, even: bool, aligned: bool) {
        let is_aarch64 = matches!(self.platform.architecture, Architecture::Aarch64(_));
        let is_riscv64 = matches!(self.platform.architecture, Architecture::Riscv64(_));
        if is_riscv64 && self.integers_left() > 0 {
            (word..word + count).for_each(|word| self.word(word));
            return;
        }
        // AAPCS64 C.8. 8 registers are an even number, so one is left.
        if is_aarch64 && even && self.limits.is_some() && !self.integers.len().is_multiple_of(2) {
            self.integer(ArgumentSlot::Padding);
        }
        if count <= self.integers_left() {
            self.integers.extend((word..word + count).map(|word| ArgumentSlot::Part(Part::word(word))));
            return;
        }
        if is_aarch64 {
            // C.11: no later one goes to a register either.
            let unused = self.integers_left();
            self.integers.extend(std::iter::repeat_n(ArgumentSlot::Padding, unused));
        }
        self.stack_words(word, count, if is_aarch64 { even } else { aligned });
    }

    fn stack_words(&mut self, word: usize, count: usize, aligned: bool) {
        if aligned && !self.stack.len().is_multiple_of(2) {
            self.stack.push(ArgumentSlot::Padding);
        }
        self.stack.extend((word..word + count).map(|word| ArgumentSlot::Part(Part::word(word))));
    }
}
