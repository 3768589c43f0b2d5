//! What can be wrong with BTF.

use super::TypeId;

/// An error in a `.BTF` or `.BTF.ext` section. Offsets are in bytes from the start of the section.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BtfError {
    /// The first two bytes are not `0xeb9f` in either byte order.
    #[error("`{section}` does not start with the BTF magic 0xeb9f")]
    Magic {
        /// `.BTF` or `.BTF.ext`.
        section: &'static str,
    },
    /// A version other than 1.
    #[error("`{section}` has the unknown version `{version}`")]
    Version {
        /// `.BTF` or `.BTF.ext`.
        section: &'static str,
        /// What the header says.
        version: u8,
    },
    /// `.BTF` and `.BTF.ext` of one object are in different byte orders.
    #[error("`.BTF.ext` is not in the byte order of `.BTF`")]
    ByteOrder,
    /// Something reaches past the end of the section, or of its part of the section.
    #[error("{what} at {offset:#x} is cut off")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where it starts.
        offset: usize,
    },
    /// The header, or a record size in it, contradicts the format.
    #[error("{what} has the impossible value {value:#x}")]
    Header {
        /// The field.
        what: &'static str,
        /// Its value.
        value: u32,
    },
    /// The string table does not begin and end with a NUL byte.
    #[error("the string table does not begin and end with a NUL byte")]
    StringTable,
    /// A reference to a string that is not there: outside the table, or into the middle of a string.
    #[error("no string begins at {offset:#x} of the string table")]
    String {
        /// The offset in the string table.
        offset: u32,
    },
    /// A type of a kind that the format does not have; its length is unknown, so nothing after it can be read.
    #[error("type {id} at {offset:#x} has the unknown kind `{kind}`")]
    Kind {
        /// The type.
        id: TypeId,
        /// Where it starts.
        offset: usize,
        /// `BTF_KIND_*`.
        kind: u8,
    },
    /// A reference to a type that is not there.
    #[error("there is no type {0}")]
    Type(TypeId),
    /// More levels of typedefs, arrays or nested structs than any program has, as in a cycle.
    #[error("type {0} is nested too deeply")]
    Nesting(TypeId),
    /// A type that is not a function where a function is needed.
    #[error("type {0} is not a function")]
    NotFunction(TypeId),
    /// A type that cannot be passed to a function by value, or has a size that no C type has.
    #[error("type {id} (`{text}`) cannot be a parameter or a result")]
    NotPassable {
        /// The type.
        id: TypeId,
        /// What it looks like.
        text: String,
    },
    /// A parameter or a result that is an array, which no function of C has: so it is a vector.
    #[error("`{text}` by value, type {id}, is a vector, which BPF passes in another way than native code")]
    Vector {
        /// The type.
        id: TypeId,
        /// What it looks like.
        text: String,
    },
    /// A function of more parameters than [`super::MAX_PARAMETERS`].
    #[error("function type {id} has {count} parameters")]
    TooManyParameters {
        /// The function's type.
        id: TypeId,
        /// How many.
        count: usize,
    },
    /// A file that is neither raw BTF nor an ELF file.
    #[error("neither raw BTF nor an object file")]
    File(#[source] object::Error),
    /// An ELF file without BTF.
    #[error("the file has no `.BTF` section")]
    NoSection,
}
