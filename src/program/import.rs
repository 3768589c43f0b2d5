//! Symbols that others define.
//!
//! In: nothing by itself. Out: to [`Program`](super::Program). The rule: each name once, whatever objects refer to it.

use std::sync::Arc;

use super::id::{FileId, FunctionId};
use crate::btf::Prototype;

/// A symbol that others define: an undefined one, or a weak other name of a function of the program.
#[derive(Clone, Debug)]
pub struct Import {
    /// Its name.
    pub name: String,
    /// It may stay unresolved and is then 0 (every reference is weak).
    pub weak: bool,
    /// How the objects use it.
    pub kind: ImportKind,
    /// Its C type, for a function; without one, calls pass registers as they are.
    pub prototype: Option<Arc<Prototype>>,
    /// It is a value of the kernel's configuration (`.kconfig`).
    pub kconfig: bool,
    /// It is a symbol of the kernel (`.ksyms`): a kfunc, or a variable.
    pub ksym: bool,
    /// Where the C type is from, if there is one.
    pub prototype_from: PrototypeSource,
    /// The objects that refer to it, in order, each once.
    pub files: Vec<FileId>,
    /// The function that it is a weak name of, if no link gives it another meaning.
    pub alias_of: Option<FunctionId>,
}

/// Where the C type of an undefined symbol is from, in the order of preference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PrototypeSource {
    /// The BTF of an object.
    Btf,
    /// The DWARF of an object, where BTF has the type of another function of the same unmangled name, or none.
    Dwarf,
    /// The table of libc's and libm's functions, [`crate::abi::libc`].
    Table,
    /// Nothing says it.
    #[default]
    None,
}

/// How an undefined symbol is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImportKind {
    /// Some object calls it, or BTF says that it is a function.
    Function,
    /// Only its address is used.
    Data,
}
