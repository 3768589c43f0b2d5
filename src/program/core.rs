//! CO-RE relocations, as a program lists them.
//!
//! In: nothing; `parse/btf.rs` makes them. The rule: texts are printable and short, and records that ask for the same share them.

use std::sync::Arc;

use super::CodeSectionId;

/// A CO-RE relocation: a number in code that depends on the target's types.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CoreRelocation {
    /// The code section.
    pub section: CodeSectionId,
    /// Byte offset of the instruction in it.
    pub offset: u64,
    /// What it asks for: `byte offset`, `type exists`.
    pub kind: Arc<str>,
    /// The type: `struct task_struct`.
    pub ty: Arc<str>,
    /// The part of it: `.comm[0]`; empty for the type itself. None where the access makes no sense.
    pub path: Option<Arc<str>>,
    /// The access as the object has it: `0:1:2`.
    pub access: Arc<str>,
}
