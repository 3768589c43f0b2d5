//! Data sections, and the symbols in them.
//!
//! In: nothing by itself. Out: to [`Program`](super::Program). The rule: what a section is for ([`DataKind`]) decides where its native
//! counterpart goes, and what may be presumed of its bytes.

use super::id::{CodeSectionId, DataSectionId, FileId, GroupId};
use super::linkage::{Binding, Visibility};
use super::relocation::Relocation;

/// The name of what COMMON symbols become.
pub(crate) const COMMON: &str = "COMMON";

/// What a data section is for, which decides the native section that it goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataKind {
    /// Writable.
    Data,
    /// Never written. With relocations it is written once, by the loader, and then protected (relro).
    ReadOnly,
    /// Never written by the program, and writable for who sets its `const volatile` variables before it runs
    /// (`crate::parse::Options::writable_constants`): their values are not known when it is translated.
    Settable,
    /// Pointers to functions that run before `main`, in order (`.init_array`, `.init_array.N`: the priority).
    Constructors(Option<u16>),
    /// Pointers to functions that run after `main`, in order (`.fini_array`).
    Destructors(Option<u16>),
    /// A jump table: 8-byte byte offsets inside the code section, without relocations; read-only.
    JumpTable(CodeSectionId),
}

/// One data section of one object, or one COMMON symbol.
#[derive(Clone, Debug)]
pub struct DataSection {
    /// The object it is from.
    pub file: FileId,
    /// Its name, such as `.rodata.str1.1`.
    pub name: String,
    /// The group that it is a member of.
    pub group: Option<GroupId>,
    /// It stays in the program though nothing refers to it (`SHF_GNU_RETAIN`).
    pub retained: bool,
    /// What it is for.
    pub kind: DataKind,
    /// Alignment in bytes, a power of two, at least 1.
    pub align: u64,
    /// Its bytes. The addends of relocations have been taken out: those fields are zero.
    pub contents: Contents,
    /// Pointers in it, sorted by `offset`; each is 8 bytes.
    pub relocations: Vec<Relocation>,
}

/// The contents of a data section.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Contents {
    /// These bytes.
    Bytes(Vec<u8>),
    /// This many zero bytes (`SHT_NOBITS`).
    Zeros(u64),
}

impl Contents {
    /// Size in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Contents::Bytes(bytes) => bytes.len() as u64,
            Contents::Zeros(size) => *size,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A data symbol that other objects can refer to.
#[derive(Clone, Debug, Hash)]
pub struct DataSymbol {
    /// Its name.
    pub name: String,
    /// The section that holds it.
    pub section: DataSectionId,
    /// Byte offset in the section.
    pub offset: u64,
    /// Size in bytes.
    pub size: u64,
    /// [`Binding::Global`] or [`Binding::Weak`].
    pub binding: Binding,
    /// `STV_*`.
    pub visibility: Visibility,
}
