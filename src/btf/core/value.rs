//! What a relocation's value is, in the object and in the target.

use super::pair::Pair;
use super::spec::{AccessStep, Spec, member};
use super::{CoreCause, RelocationKind};
use crate::btf::{Btf, Int, Kind, TypeId};
use crate::program::endianness::Endianness;

/// What is to be done with the instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// There is no value.
    Poison,
    /// A value for a value.
    Value {
        /// What the instruction has to have now, and in which of its bits that is certain.
        old: u64,
        checked_bits: u64,
        /// What it gets.
        new: u64,
        /// For a load or store, if the field's size changes.
        resize: Option<Resize>,
    },
}

/// A field that has another size in the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resize {
    pub(super) old: u64,
    pub(super) new: u64,
    /// Both zero-extend, so the size of the load may follow.
    pub(super) allowed: bool,
}

impl Outcome {
    /// A new value, whatever the old one is.
    pub(super) fn unchecked(new: u64) -> Self {
        Outcome::Value { old: 0, checked_bits: 0, new, resize: None }
    }

    /// Whether it does not matter which of two outcomes is taken.
    pub(super) fn agrees(&self, other: &Outcome) -> bool {
        match (self, other) {
            (Outcome::Poison, Outcome::Poison) => true,
            (Outcome::Value { new, .. }, Outcome::Value { new: other, .. }) => new == other,
            _ => false,
        }
    }
}

/// One side's value.
struct Value {
    value: u64,
    /// The bits of it in which the compiler surely agrees.
    checked_bits: u64,
    /// What a load or store of the field accesses.
    access: Option<(u64, TypeId)>,
}

impl Value {
    fn sure(value: u64) -> Self {
        Value { value, checked_bits: u64::MAX, access: None }
    }
}

/// The outcome, given the path in the object and, where there is one, in the target.
pub(super) fn outcome(
    kind: RelocationKind,
    types: &Pair<'_>,
    local: &Spec,
    target: Option<&Spec>,
) -> Result<Outcome, CoreCause> {
    let old = value(kind, types.local, local)?;
    let new = match target {
        Some(target) => value(kind, types.target, target)?,
        None => match kind {
            RelocationKind::FieldExists
            | RelocationKind::TypeIdTarget
            | RelocationKind::TypeExists
            | RelocationKind::TypeSize
            | RelocationKind::TypeMatches
            | RelocationKind::EnumeratorExists => Value::sure(0),
            _ => return Ok(Outcome::Poison),
        },
    };
    let resize = match (old.access, new.access) {
        (Some((old, local)), Some((new, target))) if old != new => {
            let allowed = match (types.local.get(local)?.kind, types.target.get(target)?.kind) {
                (Kind::Pointer(_), Kind::Pointer(_)) => true,
                (Kind::Int(local), Kind::Int(target)) => !local.signed && !target.signed,
                _ => false,
            };
            Some(Resize { old, new, allowed })
        }
        _ => None,
    };
    Ok(Outcome::Value { old: old.value, checked_bits: old.checked_bits, new: new.value, resize })
}

fn value(kind: RelocationKind, btf: &Btf, spec: &Spec) -> Result<Value, CoreCause> {
    match kind {
        RelocationKind::FieldByteOffset
        | RelocationKind::FieldByteSize
        | RelocationKind::FieldSigned
        | RelocationKind::FieldLeftShift
        | RelocationKind::FieldRightShift => field(kind, btf, spec),
        RelocationKind::FieldExists
        | RelocationKind::TypeExists
        | RelocationKind::TypeMatches
        | RelocationKind::EnumeratorExists => Ok(Value::sure(1)),
        // Linking may have changed the number in the instruction.
        RelocationKind::TypeIdLocal | RelocationKind::TypeIdTarget => {
            Ok(Value { checked_bits: 0, ..Value::sure(u64::from(spec.root.0)) })
        }
        RelocationKind::TypeSize => Ok(Value::sure(btf.size_of(spec.root)?.ok_or(CoreCause::Field)?)),
        RelocationKind::EnumeratorValue => {
            let Some(&AccessStep::Enumerator(id, index)) = spec.steps.last() else { return Err(CoreCause::Access) };
            let kind = btf.get(id)?.kind;
            let all = kind.any_enum().ok_or(CoreCause::Access)?;
            let enumerator = btf.enumerators(all).get(index as usize).ok_or(CoreCause::Access)?;
            // Old compilers do not record whether an enum of 32 bits is signed.
            let checked_bits = if matches!(kind, Kind::Enum(_)) { u64::from(u32::MAX) } else { u64::MAX };
            Ok(Value { checked_bits, ..Value::sure(enumerator.value) })
        }
    }
}

fn field(kind: RelocationKind, btf: &Btf, spec: &Spec) -> Result<Value, CoreCause> {
    let size = |id| btf.size_of(id)?.ok_or(CoreCause::Field);
    let (owner, index) = match spec.steps.last() {
        Some(&AccessStep::Member(owner, index)) => (owner, index),
        Some(&AccessStep::Element(id, _)) => {
            return match kind {
                RelocationKind::FieldByteOffset => {
                    Ok(Value { access: Some((size(id)?, id)), ..Value::sure(spec.bit_offset / 8) })
                }
                RelocationKind::FieldByteSize => Ok(Value::sure(size(id)?)),
                _ => Err(CoreCause::Field),
            };
        }
        _ => return Err(CoreCause::Access),
    };
    let member = member(btf, btf.get(owner)?.kind, index).ok_or(CoreCause::Access)?;
    let (id, ty) = btf.resolve(member.ty)?;
    let (first, bits, bytes, byte_offset) = match member.bit_size {
        0 => {
            let bytes = size(id)?;
            (spec.bit_offset, bytes.checked_mul(8).ok_or(CoreCause::Field)?, bytes, spec.bit_offset / 8)
        }
        bits => {
            let (bytes, byte_offset) = container(spec.bit_offset, u64::from(bits), size(id)?)?;
            (spec.bit_offset, u64::from(bits), bytes, byte_offset)
        }
    };
    // Compilers may load a bit-field in other ways than this.
    let sure =
        |value| Value { checked_bits: if member.bit_size == 0 { u64::MAX } else { 0 }, ..Value::sure(value) };
    Ok(match kind {
        RelocationKind::FieldByteOffset if member.bit_size == 0 => {
            Value { access: Some((bytes, id)), ..sure(byte_offset) }
        }
        RelocationKind::FieldByteOffset => sure(byte_offset),
        RelocationKind::FieldByteSize => sure(bytes),
        RelocationKind::FieldSigned => Value::sure(u64::from(match ty.kind {
            Kind::Enum(all) | Kind::Enum64(all) => all.signed,
            Kind::Int(Int { signed, .. }) => signed,
            _ => false,
        })),
        RelocationKind::FieldLeftShift => {
            let before = first - 8 * byte_offset;
            // Of a field of more than 8 bytes this is as senseless as what the compiler wrote.
            sure(match btf.endianness() {
                Endianness::Little => 64u64.wrapping_sub(before.wrapping_add(bits)),
                Endianness::Big => 64u64.wrapping_sub(8u64.wrapping_mul(bytes)).wrapping_add(before),
            })
        }
        RelocationKind::FieldRightShift => Value::sure(64u64.wrapping_sub(bits)),
        _ => return Err(CoreCause::Field),
    })
}

/// The smallest aligned integer, of the declared size or more, that holds a bit-field: its size and where it is.
fn container(first: u64, bits: u64, declared: u64) -> Result<(u64, u64), CoreCause> {
    if !matches!(declared, 1..=16) {
        return Err(CoreCause::Field);
    }
    let mut bytes = declared;
    loop {
        let offset = first / 8 / bytes * bytes;
        if first + bits <= 8 * (offset + bytes) {
            return Ok((bytes, offset));
        }
        if bytes >= 8 {
            return Err(CoreCause::BitField);
        }
        bytes *= 2;
    }
}
