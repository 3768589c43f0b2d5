//! A CO-RE relocation in words.

use super::RelocationKind;
use super::spec::Spec;
use crate::btf::{Btf, CoreRelocation};

/// What a relocation asks for, of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// What it asks for: `byte offset`; a number that stands for nothing is itself.
    pub kind: String,
    /// The type: `struct task_struct`.
    pub ty: String,
    /// The part of it: `.comm[0]`, `::STATE`, empty for the type itself; none where the access makes no sense.
    pub path: Option<String>,
}

impl Description {
    /// Describes a relocation of an object with these types.
    pub fn new(btf: &Btf, record: &CoreRelocation) -> Description {
        let kind = RelocationKind::new(record.kind);
        let path = kind.as_ref().ok().and_then(|&kind| Spec::parse(btf, kind, record.ty, &record.access).ok());
        Description {
            kind: kind.map_or_else(|_| record.kind.to_string(), |kind| kind.to_string()),
            ty: btf.text(record.ty),
            path: path.map(|path| path.path(btf)),
        }
    }
}
