//! What can go wrong with a CO-RE relocation.

use std::fmt;

use crate::btf::BtfError;

/// Relocations cannot be applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// The object and the target are for machines of different byte orders.
    #[error("the target's BTF is not in the byte order of the object")]
    ByteOrder,
    /// One relocation cannot be applied.
    #[error("section `{section}` at {offset:#x}: CO-RE relocation `{relocation}`")]
    Relocation {
        /// The code section.
        section: String,
        /// Byte offset of the instruction in it.
        offset: u64,
        /// What it asks for.
        relocation: String,
        /// Why not.
        source: CoreCause,
    },
}

/// Why one relocation cannot be applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoreCause {
    /// A number that is no kind of relocation.
    #[error("there is no kind `{0}`")]
    Kind(u32),
    /// An access string that the format does not allow, or that leaves the type.
    #[error("the type has no such part")]
    Access,
    /// A type without a name cannot be looked for.
    #[error("the type has no name")]
    Anonymous,
    /// The target has several types of the name, and they disagree.
    #[error("types of the same name in the target disagree")]
    Ambiguous,
    /// Types too large or too deeply nested to be compared.
    #[error("the types are too large to be compared")]
    TooComplex,
    /// The field has no size, or is an element of an array where the kind needs a member.
    #[error("the field cannot be asked for this")]
    Field,
    /// A bit-field that no aligned integer of 8 bytes holds.
    #[error("no 8-byte load reads the bit-field")]
    BitField,
    /// The record names no whole instruction of the section.
    #[error("there is no instruction")]
    Place,
    /// The instruction is none that can be relocated.
    #[error("the instruction with the opcode {0:#04x} cannot be relocated")]
    Instruction(u8),
    /// The instruction does not have the value that the object's own types say.
    #[error("the instruction has the value {found:#x}, and should have {expected:#x}")]
    Unexpected {
        /// What it has.
        found: u64,
        /// What it should have.
        expected: u64,
    },
    /// The target's value does not fit.
    #[error("the value {0:#x} does not fit into the instruction")]
    Range(u64),
    /// The size of the load or store is not that of the field, or there is none of the target's size.
    #[error("no load or store has the size {0}")]
    Size(u64),
    /// The types themselves are broken.
    #[error(transparent)]
    Btf(#[from] BtfError),
}

/// An instruction that was poisoned, because the target cannot satisfy its relocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The code section.
    pub section: String,
    /// Byte offset of the instruction in it.
    pub offset: u64,
    /// What the relocation asks for.
    pub relocation: String,
    /// Why there is none.
    pub reason: WarningReason,
}

/// Why an instruction was poisoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarningReason {
    /// The target has no such field or name.
    Missing,
    /// The field has another size, and a load or store of that size would have another meaning.
    Resized,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Warning { section, offset, relocation, reason } = self;
        let reason = match reason {
            WarningReason::Missing => "is not in the target",
            WarningReason::Resized => "has another size in the target, which the instruction cannot take",
        };
        write!(f, "section `{section}` at {offset:#x}: CO-RE relocation `{relocation}` {reason}")
    }
}
