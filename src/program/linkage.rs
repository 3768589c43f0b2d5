//! Who sees a definition, and which one wins: the part of ELF's symbols that a linker looks at.
//!
//! In: nothing by itself. Out: to functions, their aliases and data symbols.

/// How a definition behaves when another object has the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binding {
    /// Seen only in its own object (`STB_LOCAL`).
    Local,
    /// The one definition (`STB_GLOBAL`).
    Global,
    /// Gives way to a global one (`STB_WEAK`).
    Weak,
}

/// Whether a shared library exports a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// `STV_DEFAULT`, `STV_PROTECTED`: exported.
    Default,
    /// `STV_HIDDEN`, `STV_INTERNAL`: seen by the objects of one link only.
    Hidden,
}
