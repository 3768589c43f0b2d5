//! `enum bpf_core_relo_kind`: what a relocation asks for.

use std::fmt;

use super::CoreCause;

/// What a CO-RE relocation asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RelocationKind {
    /// 0: where a field is, in bytes.
    FieldByteOffset,
    /// 1: its size in bytes.
    FieldByteSize,
    /// 2: whether there is such a field.
    FieldExists,
    /// 3: whether it is signed.
    FieldSigned,
    /// 4: how far to shift the 64-bit number that holds a bit-field to the left.
    FieldLeftShift,
    /// 5: and then to the right.
    FieldRightShift,
    /// 6: the number of a type in the object.
    TypeIdLocal,
    /// 7: the number of a type in the target.
    TypeIdTarget,
    /// 8: whether there is such a type.
    TypeExists,
    /// 9: its size in bytes.
    TypeSize,
    /// 10: whether an enum has such a name.
    EnumeratorExists,
    /// 11: its value.
    EnumeratorValue,
    /// 12: whether there is a type that has all that the object's type has.
    TypeMatches,
}

/// What a relocation is about, which says how its access string is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Field,
    Type,
    Enumerator,
}

const KINDS: [(RelocationKind, Subject, &str); 13] = [
    (RelocationKind::FieldByteOffset, Subject::Field, "byte offset"),
    (RelocationKind::FieldByteSize, Subject::Field, "byte size"),
    (RelocationKind::FieldExists, Subject::Field, "field exists"),
    (RelocationKind::FieldSigned, Subject::Field, "signed"),
    (RelocationKind::FieldLeftShift, Subject::Field, "left shift"),
    (RelocationKind::FieldRightShift, Subject::Field, "right shift"),
    (RelocationKind::TypeIdLocal, Subject::Type, "local type id"),
    (RelocationKind::TypeIdTarget, Subject::Type, "target type id"),
    (RelocationKind::TypeExists, Subject::Type, "type exists"),
    (RelocationKind::TypeSize, Subject::Type, "type size"),
    (RelocationKind::EnumeratorExists, Subject::Enumerator, "enumerator exists"),
    (RelocationKind::EnumeratorValue, Subject::Enumerator, "enumerator value"),
    (RelocationKind::TypeMatches, Subject::Type, "type matches"),
];

impl RelocationKind {
    /// The kind of this number.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn new(number: u32) -> Result<Self, CoreCause> {
        let row = KINDS.get(number as usize).ok_or(CoreCause::Kind(number))?;
        Ok(row.0)
    }

    pub(super) fn subject(self) -> Subject {
        KINDS[self as usize].1
    }
}

impl fmt::Display for RelocationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(KINDS[*self as usize].2)
    }
}
