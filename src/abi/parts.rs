//! The parts of a C type: which 64-bit words of BPF become which native values.
//!
//! In: a [`CType`]. Out: [`Part`]s. The rule is the table in [`super`].

use cranelift_codegen::ir::{Type, types};

use crate::btf::{Aggregate, CType, Prototype};

/// A C type that cannot cross the border.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AbiError {
    /// A struct with floating-point members, or over 16 bytes.
    #[error("passing `{0}` by value between BPF and native code is not supported: pass a pointer to it")]
    Aggregate(String),
    /// A struct result.
    #[error("returning `{0}` by value between BPF and native code is not supported: return it through a pointer")]
    AggregateResult(String),
}

/// One native value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The BPF word that holds it.
    pub word: usize,
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
    /// `double`.
    F64,
}

impl Part {
    /// A whole word as it is.
    pub fn word(word: usize) -> Part {
        Part { word, kind: Kind::Int { bits: 64, signed: false } }
    }

    /// The type of the native value.
    pub fn ty(self) -> Type {
        match self.kind {
            Kind::Int { .. } => super::WORD,
            Kind::F32 => types::F32,
            Kind::F64 => types::F64,
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

/// How many words the parameters of a function take.
pub(crate) fn word_count(prototype: &Prototype) -> usize {
    prototype.parameters.iter().map(|parameter| words(&parameter.ty)).sum()
}

/// The parts of a parameter whose first word is `word`; returns the next parameter's first word.
pub(super) fn parameter(ty: &CType, word: usize, parts: &mut Vec<Part>) -> Result<usize, AbiError> {
    match ty {
        CType::Int { bytes: 16, .. } => parts.extend([Part::word(word), Part::word(word + 1)]),
        CType::Aggregate(aggregate) => {
            if aggregate.size > 16 || has_float(aggregate) {
                return Err(AbiError::Aggregate(aggregate.name.clone()));
            }
            parts.extend((0..words(ty)).map(|k| Part::word(word + k)));
        }
        _ => parts.extend(scalar(ty, word)),
    }
    Ok(word + words(ty))
}

/// The part of a result.
pub(super) fn result(ty: &CType) -> Result<Option<Part>, AbiError> {
    match ty {
        CType::Aggregate(aggregate) => Err(AbiError::AggregateResult(aggregate.name.clone())),
        CType::Int { bytes: 16, .. } => Err(AbiError::AggregateResult("__int128".to_owned())),
        _ => Ok(scalar(ty, 0)),
    }
}

fn scalar(ty: &CType, word: usize) -> Option<Part> {
    let kind = match ty {
        CType::Void => return None,
        CType::Bool => Kind::Int { bits: 8, signed: false },
        CType::Int { bytes, signed } => Kind::Int { bits: bytes.saturating_mul(8).min(64), signed: *signed },
        CType::Float { bytes: 4 } => Kind::F32,
        CType::Float { .. } => Kind::F64,
        CType::Pointer(_) | CType::Aggregate(_) => Kind::Int { bits: 64, signed: false },
    };
    Some(Part { word, kind })
}

fn has_float(aggregate: &Aggregate) -> bool {
    aggregate.scalars.iter().any(|(_, scalar)| matches!(scalar, CType::Float { .. }))
}
