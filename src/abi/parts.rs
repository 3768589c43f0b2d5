//! The parts of a C type: which bytes of BPF's words become which native values.
//!
//! In: a [`CType`] and an architecture. Out: [`Part`]s, one for each native register, and how a result comes back.
//!
//! | struct or union of up to 16 bytes | x86-64 (psABI 3.2.3) | aarch64 (AAPCS64 6.8.2) | riscv64 (lp64d) |
//! |---|---|---|---|
//! | of integers | 8 bytes each in an integer register | the same | the same |
//! | of 1 to 4 equal floats | each 8 bytes of floats alone in an FP register | each float in an FP register | 1 or 2: each in an FP register |
//! | of a float and an integer | by 8 bytes | 8 bytes each in an integer register | one register of each kind |
//!
//! A larger struct is never an argument: BPF compilers refuse it. A result that does not fit two registers goes
//! through a pointer, on both sides.

use cranelift_codegen::ir::{Type, types};
use target_lexicon::Architecture;

use crate::btf::{Aggregate, CType, Prototype};

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

/// The largest struct that is passed in registers.
const LARGEST: u32 = 16;

/// One native value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The BPF word that holds it.
    pub word: usize,
    /// The byte of the word that it starts at.
    pub byte: u8,
    /// What it is.
    pub kind: Kind,
}

/// What a native value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
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

impl Kind {
    /// A whole word.
    pub const WORD: Kind = Kind::Int { bits: 64, signed: false };

    /// The type of the native value.
    pub fn ty(self) -> Type {
        match self {
            Kind::Int { .. } => super::WORD,
            Kind::F32 => types::F32,
            Kind::F64 => types::F64,
        }
    }
}

impl Part {
    /// A whole word as it is.
    pub fn word(word: usize) -> Part {
        Part { word, byte: 0, kind: Kind::WORD }
    }

    /// Its byte offset in the value that starts with word 0.
    pub fn offset(self) -> i32 {
        self.word as i32 * 8 + i32::from(self.byte)
    }
}

/// How a result comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ResultAbi {
    /// In r0; where there is no result too. BTF knows no C++ references, and says `void` for a function that
    /// returns one.
    Word(Kind),
    /// In r0 and r2: `__int128`.
    Pair,
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
            ResultAbi::Word(_) | ResultAbi::Pair => 0,
            ResultAbi::Registers { .. } | ResultAbi::Memory => 1,
        }
    }
}

/// How many words a value of this type takes.
fn words(ty: &CType) -> usize {
    match ty {
        CType::Void => 0,
        CType::Int { bytes: 16, .. } => 2,
        CType::Aggregate(aggregate) => (aggregate.size as usize).div_ceil(8),
        CType::Bool | CType::Int { .. } | CType::Float { .. } | CType::Pointer(_) => 1,
    }
}

/// How many words the parameters of a function take, with the pointer to its result.
pub(crate) fn word_count(prototype: &Prototype) -> usize {
    let result = usize::from(matches!(prototype.result, CType::Aggregate(_)));
    result + prototype.parameters.iter().map(|parameter| words(&parameter.ty)).sum::<usize>()
}

/// The parts of a parameter whose first word is `word`; returns the next parameter's first word.
pub(super) fn parameter(
    architecture: Architecture,
    ty: &CType,
    word: usize,
    parts: &mut Vec<Part>,
) -> Result<usize, AbiError> {
    let unsupported = || AbiError::Type { ty: ty.to_string(), architecture: architecture.to_string() };
    match ty {
        CType::Int { bytes: 16, .. } if architecture == Architecture::S390x => return Err(unsupported()),
        CType::Int { bytes: 16, .. } => parts.extend([Part::word(word), Part::word(word + 1)]),
        CType::Aggregate(aggregate) => {
            let registers = registers(architecture, aggregate).ok_or_else(unsupported)?;
            parts.extend(registers.into_iter().map(|part| Part { word: word + part.word, ..part }));
        }
        _ => parts.extend(scalar(ty).map(|kind| Part { word, byte: 0, kind })),
    }
    Ok(word + words(ty))
}

/// How a result of this type comes back.
pub(super) fn result(architecture: Architecture, ty: &CType) -> Result<ResultAbi, AbiError> {
    Ok(match ty {
        CType::Int { bytes: 16, .. } => {
            if architecture == Architecture::S390x {
                return Err(AbiError::Type { ty: ty.to_string(), architecture: architecture.to_string() });
            }
            ResultAbi::Pair
        }
        // The s390x ABI returns every struct through a pointer.
        CType::Aggregate(_) if architecture == Architecture::S390x => ResultAbi::Memory,
        CType::Aggregate(aggregate) => match registers(architecture, aggregate) {
            Some(parts) => ResultAbi::Registers { size: aggregate.size, parts },
            None => ResultAbi::Memory,
        },
        _ => ResultAbi::Word(scalar(ty).unwrap_or(Kind::WORD)),
    })
}

fn scalar(ty: &CType) -> Option<Kind> {
    Some(match ty {
        CType::Void | CType::Aggregate(_) => return None,
        CType::Bool => Kind::Int { bits: 8, signed: false },
        CType::Int { bytes, signed } => Kind::Int { bits: bytes.saturating_mul(8).min(64), signed: *signed },
        CType::Float { bytes: 4 } => Kind::F32,
        CType::Float { .. } => Kind::F64,
        CType::Pointer(_) => Kind::WORD,
    })
}

/// The registers of a struct or union; none when it is passed in memory.
fn registers(architecture: Architecture, aggregate: &Aggregate) -> Option<Vec<Part>> {
    let floats = floats(aggregate);
    let is_float = |ty: &CType| matches!(ty, CType::Float { .. });
    let count = floats.len();
    let part = |&(offset, kind): &(u32, Kind)| Part { word: offset as usize / 8, byte: (offset % 8) as u8, kind };
    // AAPCS64: a homogeneous aggregate may have up to 4 doubles, 32 bytes.
    if matches!(architecture, Architecture::Aarch64(_)) {
        let all_floats = count > 0 && aggregate.scalars.iter().all(|(_, ty)| is_float(ty));
        let alike = floats.windows(2).all(|pair| pair[0].1 == pair[1].1);
        if all_floats && alike && count <= 4 {
            return Some(floats.iter().map(part).collect());
        }
    }
    if aggregate.size > LARGEST {
        return None;
    }
    let words = 0..(aggregate.size as usize).div_ceil(8);
    match architecture {
        Architecture::X86_64 => Some(
            words
                .map(|word| {
                    let in_word = |offset: u32| offset as usize / 8 == word;
                    let mut scalars = aggregate.scalars.iter().filter(|(offset, _)| in_word(*offset)).peekable();
                    let all_floats = scalars.peek().is_some() && scalars.all(|(_, ty)| is_float(ty));
                    let kind = if all_floats { Kind::F64 } else { Kind::WORD };
                    Part { word, byte: 0, kind }
                })
                .collect(),
        ),
        Architecture::Riscv64(_) if count > 0 && aggregate.scalars.len() <= 2 => {
            let scalars = aggregate.scalars.iter().filter_map(|(offset, ty)| Some((*offset, scalar(ty)?)));
            Some(scalars.collect::<Vec<_>>().iter().map(part).collect())
        }
        Architecture::Aarch64(_) | Architecture::Riscv64(_) => Some(words.map(Part::word).collect()),
        // s390x: 8 bytes of integers are an integer; smaller ones are justified otherwise, others go by reference.
        _ if aggregate.size == 8 && count == 0 => Some(vec![Part::word(0)]),
        _ => None,
    }
}

/// The floating-point scalars of a struct.
fn floats(aggregate: &Aggregate) -> Vec<(u32, Kind)> {
    let floats = aggregate.scalars.iter().filter(|(_, ty)| matches!(ty, CType::Float { .. }));
    let mut floats: Vec<(u32, Kind)> = floats.filter_map(|(offset, ty)| Some((*offset, scalar(ty)?))).collect();
    // The members of a union lie on each other.
    floats.dedup();
    floats
}
