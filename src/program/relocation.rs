//! What the addresses in code and data refer to, after relocation.
//!
//! In: nothing by itself. Out: to code and data sections. The rule: an address that a link may give another meaning is reached by its
//! name ([`Target::Symbol`], [`Target::Import`]), any other by its place.

use super::id::{CodeSectionId, DataSectionId, DataSymbolId, FunctionId, ImportId};

/// The place of a relocation and what it resolves to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Relocation {
    /// Byte offset in its section: of the instruction in code, of the 8-byte (or 4-byte) field in data.
    pub offset: u64,
    /// What the address is of, addend included.
    pub target: Target,
}

/// What an address refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The first instruction of a function.
    Function(FunctionId),
    /// An instruction inside a function (computed goto): its byte offset in the code section.
    Label {
        /// The code section.
        section: CodeSectionId,
        /// Byte offset in it.
        offset: u64,
    },
    /// A place in a data section.
    Data {
        /// The data section.
        section: DataSectionId,
        /// Byte offset in it; may lie outside, as C's one-past-the-end and compilers' biased addresses do.
        offset: i64,
    },
    /// A place relative to a data symbol that other objects see: where a later link may put another one in its place,
    /// it is reached by its name (`crate::resolution`).
    Symbol {
        /// The symbol.
        symbol: DataSymbolId,
        /// Bytes after it.
        addend: i64,
    },
    /// A place relative to an undefined symbol.
    Import {
        /// The undefined symbol.
        import: ImportId,
        /// Bytes after it.
        addend: i64,
    },
    /// A number, from a symbol of `SHN_ABS`.
    Absolute(u64),
}
