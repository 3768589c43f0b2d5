//! The parts of a C type: which bytes of BPF's words become which native values, as far as the type alone decides it.
//!
//! In: a [`CType`] and a platform. Out: the [`PartKind`] of a scalar, the [`Passed`] of a struct, the [`ResultAbi`] of a
//! result. Where a value goes when registers run out is `place.rs`'s.
//!
//! | struct or union | x86-64 (psABI 3.2.3) | aarch64 (AAPCS64 6.8.2) | riscv64 (lp64d) | s390x (ELF ABI 1.2.3) |
//! |---|---|---|---|---|
//! | up to 16 bytes, of integers | 8 bytes each in an integer register | the same | the same | 1, 2, 4, 8 bytes: an integer register; else the address of a copy |
//! | of 1 to 4 equal floats | each 8 bytes of floats alone in an FP register | each float in an FP register | 1 or 2: each in an FP register, not in a union | 1: in an FP register, not in a union or an array |
//! | of a float and an integer | by 8 bytes | 8 bytes each in an integer register | one register of each kind | as of integers |
//! | with a scalar that is not aligned | on the stack | as others | as others | as others |
//! | as a result that does not fit | through a pointer | the same, in x8 | the same | every one |
//!
//! A complex number is a struct of its two parts; on s390x it goes by the address of a copy, whatever its size.
//!
//! A struct of more than 16 bytes is never an argument: BPF compilers refuse it. Windows on x86-64 passes 1, 2, 4 and 8
//! bytes as an integer, others by the address of a copy.
//!
//! On riscv64, a pointer beside a float counts as an integer, as clang has it; gcc 12 passes such a struct as integers.
//!
//! What BTF does not say, and is guessed: the alignment of a struct, by its scalars and its size. A struct that an
//! attribute aligns to 16 bytes and that has no byte of padding for it counts as aligned to 8, which only tells on the
//! stack of x86-64 and riscv64.

use cranelift_codegen::ir::{Type, types};
use target_lexicon::Architecture;

use super::platform::Platform;
use crate::btf::{Aggregate, CType, Prototype};
use crate::program::StructResult;

/// A C type that cannot cross the border.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AbiError {
    /// A type that the target passes in a way that is not supported.
    #[error(
        "passing `{ty}` by value between BPF and native code is not supported on {architecture}: pass a pointer"
    )]
    Type {
        /// The type.
        ty: String,
        /// The target.
        architecture: String,
    },
}

/// The largest struct that is an argument in BPF, or a result in registers.
pub const LARGEST_STRUCT: u32 = 16;

/// One native value that has bytes of BPF's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The BPF word that holds it.
    pub word: usize,
    /// The byte of the word that it starts at.
    pub byte: u8,
    /// What it is.
    pub kind: PartKind,
    /// One of several in a struct: what is around it in the word is not its own.
    pub member: bool,
}

/// What a native value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartKind {
    /// An integer of this many bits; 64 for pointers and parts of structs.
    Int {
        /// 8, 16, 32 or 64.
        bits: u8,
        /// Whether it is sign-extended.
        signed: bool,
    },
    /// `float`.
    F32,
    /// `double`, or 8 bytes of floats.
    F64,
}

impl PartKind {
    /// A whole word.
    pub const WORD: PartKind = PartKind::Int { bits: 64, signed: false };

    /// The type of the native value.
    pub fn ty(self) -> Type {
        match self {
            PartKind::Int { .. } => super::WORD,
            PartKind::F32 => types::F32,
            PartKind::F64 => types::F64,
        }
    }

    /// Whether it is a floating-point number.
    pub fn is_float(self) -> bool {
        self.ty().is_float()
    }
}

impl Part {
    /// A whole word as it is.
    pub fn word(word: usize) -> Part {
        Part::scalar(word, PartKind::WORD)
    }

    /// A scalar in a word of its own.
    pub fn scalar(word: usize, kind: PartKind) -> Part {
        Part { word, byte: 0, kind, member: false }
    }

    /// Whether it is the whole word of this number, as an integer.
    pub fn is_word(self, number: usize) -> bool {
        self.word == number && self.byte == 0 && !self.member && !self.kind.is_float()
    }

    /// The bit of the word that it starts at.
    pub fn shift(self) -> i64 {
        i64::from(self.byte) * 8
    }

    /// Whether it ends in the next word, as a member of a packed struct may.
    pub fn crosses(self) -> bool {
        let bits = match self.kind {
            PartKind::Int { bits, .. } => i64::from(bits),
            PartKind::F32 => 32,
            PartKind::F64 => 64,
        };
        self.byte > 0 && self.shift() + bits > 64
    }

    /// Its byte offset in the value that starts with word 0.
    pub fn offset(self) -> i32 {
        self.word as i32 * 8 + i32::from(self.byte)
    }

    /// The same of a value whose first word is `word`.
    fn after(self, word: usize) -> Part {
        Part { word: word + self.word, ..self }
    }
}

/// How a struct is passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// In these, if the registers last.
    Parts(Vec<Part>),
    /// On the stack, always.
    Stack,
    /// By the address of a copy.
    Reference,
}

/// How a result comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ResultAbi {
    /// In r0, which nobody looks at.
    Nothing,
    /// In r0; where there is no result too. BTF knows no C++ references, and says `void` for a function that
    /// returns one.
    Word(PartKind),
    /// In r0 and r2: `__int128`, or what nothing says the type of. Natively in two registers.
    Pair,
    /// In r0 and r2: `__int128`. Natively through a pointer.
    PairInMemory,
    /// A struct in r0, and r2 from 9 bytes on. Natively in these registers.
    Parts {
        /// Bytes.
        size: u32,
        /// The registers; words count from the start of the struct.
        parts: Vec<Part>,
    },
    /// A struct in r0, and r2 from 9 bytes on. Natively through a pointer, of so many bytes.
    WordsInMemory {
        /// Bytes.
        size: u32,
    },
    /// BPF: through a pointer in the first word. Natively: in these registers.
    Registers {
        /// Bytes.
        size: u32,
        /// The registers; words count from the start of the struct.
        parts: Vec<Part>,
    },
    /// Through a pointer on both sides, in the first word.
    Memory,
}

impl ResultAbi {
    /// How many words of arguments it takes.
    pub fn words(&self) -> usize {
        match self {
            ResultAbi::Nothing
            | ResultAbi::Word(_)
            | ResultAbi::Pair
            | ResultAbi::PairInMemory
            | ResultAbi::Parts { .. }
            | ResultAbi::WordsInMemory { .. } => 0,
            ResultAbi::Registers { .. } | ResultAbi::Memory => 1,
        }
    }
}

/// How many words a value of this type takes.
pub(crate) fn parameter_words(ty: &CType) -> usize {
    match ty {
        CType::Void => 0,
        CType::Int { bytes: 16, .. } => 2,
        CType::Aggregate(aggregate) => (aggregate.size as usize).div_ceil(8),
        CType::Bool | CType::Int { .. } | CType::Float { .. } | CType::LongDouble | CType::Pointer(_) => 1,
    }
}

/// How many words of arguments a result of this type takes: the pointer to a struct.
pub(crate) fn result_words(ty: &CType) -> usize {
    usize::from(matches!(ty, CType::Aggregate(_)))
}

/// How many words the parameters of a function take, with the pointer to its result.
pub(crate) fn word_count(prototype: &Prototype) -> usize {
    let parameters = prototype.parameters.iter().map(|parameter| parameter_words(&parameter.ty));
    result_words(&prototype.result) + parameters.sum::<usize>()
}

fn unsupported(platform: Platform, ty: &CType) -> AbiError {
    AbiError::Type { ty: ty.to_string(), architecture: platform.architecture.to_string() }
}

/// How a struct or union is passed whose first word is `word`.
pub(super) fn passed(platform: Platform, aggregate: &Aggregate, word: usize) -> Result<Passed, AbiError> {
    if aggregate.size > LARGEST_STRUCT {
        let ty = CType::Aggregate(std::sync::Arc::new(aggregate.clone()));
        return Err(unsupported(platform, &ty));
    }
    Ok(match registers(platform, aggregate) {
        Some(parts) => Passed::Parts(parts.into_iter().map(|part| part.after(word)).collect()),
        None if platform.architecture == Architecture::X86_64 && !platform.is_windows => Passed::Stack,
        None => Passed::Reference,
    })
}

/// How a result of this type comes back; `structs` says where BPF code has one of up to 16 bytes.
pub(super) fn result(platform: Platform, ty: &CType, structs: StructResult) -> Result<ResultAbi, AbiError> {
    Ok(match ty {
        CType::Int { bytes: 16, .. } if platform.is_windows && platform.architecture == Architecture::X86_64 => {
            return Err(unsupported(platform, ty));
        }
        CType::Int { bytes: 16, .. } if platform.architecture == Architecture::S390x => ResultAbi::PairInMemory,
        CType::Int { bytes: 16, .. } => ResultAbi::Pair,
        CType::Aggregate(aggregate) if structs == StructResult::Registers && aggregate.size <= LARGEST_STRUCT => {
            let size = aggregate.size;
            match registers(platform, aggregate) {
                Some(parts) if platform.architecture != Architecture::S390x => ResultAbi::Parts { size, parts },
                _ => ResultAbi::WordsInMemory { size },
            }
        }
        CType::Aggregate(_) if platform.architecture == Architecture::S390x => ResultAbi::Memory,
        CType::Aggregate(aggregate) => match registers(platform, aggregate) {
            Some(parts) => ResultAbi::Registers { size: aggregate.size, parts },
            None => ResultAbi::Memory,
        },
        _ => ResultAbi::Word(scalar(ty).unwrap_or(PartKind::WORD)),
    })
}

/// What a scalar of up to 64 bits is natively.
pub(super) fn scalar(ty: &CType) -> Option<PartKind> {
    Some(match ty {
        CType::Void | CType::Aggregate(_) => return None,
        CType::Bool => PartKind::Int { bits: 8, signed: false },
        CType::Int { bytes, signed } => PartKind::Int { bits: bytes.saturating_mul(8).min(64), signed: *signed },
        CType::Float { bytes: 4 } => PartKind::F32,
        CType::Float { .. } | CType::LongDouble => PartKind::F64,
        CType::Pointer(_) => PartKind::WORD,
    })
}

/// The registers of a struct or union; none when it is not passed in registers, nor returned in them.
fn registers(platform: Platform, aggregate: &Aggregate) -> Option<Vec<Part>> {
    let architecture = platform.architecture;
    if let (Architecture::Aarch64(_), Some(floats)) = (architecture, homogeneous(aggregate)) {
        return Some(floats);
    }
    if aggregate.size > LARGEST_STRUCT {
        return None;
    }
    let words = 0..(aggregate.size as usize).div_ceil(8);
    match architecture {
        Architecture::X86_64 if !platform.is_windows => eightbytes(aggregate),
        Architecture::Aarch64(_) => Some(words.map(Part::word).collect()),
        Architecture::Riscv64(_) => Some(flattened(aggregate).unwrap_or_else(|| words.map(Part::word).collect())),
        // Complex numbers always by the address of a copy (ELF ABI 1.2.2.3).
        Architecture::S390x if aggregate.is_complex => None,
        // s390x; Windows has the same sizes, and no floats.
        _ if matches!(aggregate.size, 1 | 2 | 4 | 8) => {
            let float = (architecture == Architecture::S390x).then(|| single_float(aggregate)).flatten();
            let bits = aggregate.size as u8 * 8;
            Some(vec![Part::scalar(0, float.unwrap_or(PartKind::Int { bits, signed: false }))])
        }
        _ => None,
    }
}

/// AAPCS64 5.9.5: 1 to 4 floats of one kind, and nothing else; unions and arrays too.
fn homogeneous(aggregate: &Aggregate) -> Option<Vec<Part>> {
    let kinds: Option<Vec<(u32, PartKind)>> =
        aggregate.scalars.iter().map(|(offset, ty)| Some((*offset, scalar(ty)?))).collect();
    let kinds = kinds?;
    let (_, first) = *kinds.first()?;
    let alike = first.is_float() && kinds.iter().all(|&(_, kind)| kind == first);
    let filled = aggregate.size as usize == kinds.len() * first.ty().bytes() as usize;
    (alike && filled && kinds.len() <= 4)
        .then(|| kinds.iter().map(|&(offset, kind)| member(offset, kind)).collect())
}

/// x86-64 psABI 3.2.3: each 8 bytes by what is in them; none for a struct with a scalar that is not aligned.
fn eightbytes(aggregate: &Aggregate) -> Option<Vec<Part>> {
    if aggregate.scalars.iter().any(|(offset, ty)| !offset.is_multiple_of(scalar_size(ty))) {
        return None;
    }
    let class = |word: usize| {
        let in_word = |(offset, ty): &&(u32, CType)| {
            let (first, end) = (*offset as usize, (*offset + scalar_size(ty)) as usize);
            first < word * 8 + 8 && word * 8 < end
        };
        let mut scalars = aggregate.scalars.iter().filter(in_word).peekable();
        // Nothing but padding is not passed.
        scalars.peek()?;
        let floats = scalars.all(|(_, ty)| matches!(ty, CType::Float { .. } | CType::LongDouble));
        Some(Part::scalar(word, if floats { PartKind::F64 } else { PartKind::WORD }))
    };
    Some((0..(aggregate.size as usize).div_ceil(8)).filter_map(class).collect())
}

/// RISC-V psABI, hardware floating-point convention: one or two floats, or a float and an integer.
fn flattened(aggregate: &Aggregate) -> Option<Vec<Part>> {
    let scalars = &aggregate.scalars;
    let fits = !aggregate.has_union && scalars.len() <= 2 && scalars.iter().all(|(_, ty)| scalar_size(ty) <= 8);
    let parts: Option<Vec<Part>> = scalars.iter().map(|(offset, ty)| Some(member(*offset, scalar(ty)?))).collect();
    parts.filter(|parts| fits && parts.iter().any(|part| part.kind.is_float()))
}

/// s390x ELF ABI: a struct of one float is passed as that.
fn single_float(aggregate: &Aggregate) -> Option<PartKind> {
    let [(_, ty)] = aggregate.scalars.as_slice() else { return None };
    let kind = scalar(ty).filter(|kind| kind.is_float() && kind.ty().bytes() == aggregate.size)?;
    (!aggregate.has_union && !aggregate.has_array).then_some(kind)
}

fn member(offset: u32, kind: PartKind) -> Part {
    Part { word: offset as usize / 8, byte: (offset % 8) as u8, kind, member: true }
}

fn scalar_size(ty: &CType) -> u32 {
    match ty {
        CType::Int { bytes, .. } | CType::Float { bytes } => u32::from(*bytes).max(1),
        CType::Bool | CType::Void => 1,
        CType::Pointer(_) | CType::LongDouble => 8,
        CType::Aggregate(aggregate) => aggregate.size.max(1),
    }
}

/// The alignment that its scalars ask for: 1 for a struct that is packed.
pub(super) fn natural_align(aggregate: &Aggregate) -> u32 {
    let scalars = &aggregate.scalars;
    let align = scalars.iter().map(|(_, ty)| scalar_size(ty)).max().unwrap_or(1);
    let aligned = scalars.iter().all(|(offset, ty)| offset.is_multiple_of(scalar_size(ty)));
    if aligned && aggregate.size.is_multiple_of(align) { align } else { 1 }
}

/// The alignment as far as its size shows it: padding at the end that its scalars do not ask for is an attribute's.
pub(super) fn align(aggregate: &Aggregate) -> u32 {
    let mut align = natural_align(aggregate);
    let end = aggregate.scalars.iter().map(|(offset, ty)| offset + scalar_size(ty)).max().unwrap_or(0);
    while align < 16 && end.next_multiple_of(align) != aggregate.size {
        align *= 2;
    }
    align
}
