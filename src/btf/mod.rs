//! BTF: the types that a BPF object carries (kernel `Documentation/bpf/btf.rst`).
//!
//! Comes in: the bytes of the sections `.BTF` and `.BTF.ext`, in either byte order. Goes out: [`Btf`], the types;
//! [`Prototypes`], the C types of functions as a calling convention needs them; [`BtfExt`], what is known of
//! instructions (functions, source lines, CO-RE relocations); and
//! [`core`], which applies the last of these.
//!
//! | file | owns |
//! |---|---|
//! | `types` | what a type can be |
//! | `reader`, `strings`, `parse` | from bytes to [`Btf`] |
//! | `prototype`, `prototypes` | the C type of a function, and how it is made of BTF |
//! | `declare`, `text` | C types as text |
//! | `ext` | `.BTF.ext` |
//! | `raw` | both sections as words, to be written again |
//! | `core` | CO-RE relocation against other types |
//!
//! Rule: no input panics, recurses without bound, or takes memory or time out of proportion to its length. All
//! references are checked when a section is parsed; chains of types (which may be cycles) are followed
//! [`MAX_NESTING`] steps.

pub mod core;
mod declare;
mod error;
mod ext;
mod parse;
mod prototype;
mod prototypes;
pub(crate) mod raw;
mod reader;
mod strings;
mod text;
mod types;

use object::{Object, ObjectSection};

pub use error::BtfError;
pub use ext::{BtfExt, CoreRelocation, FunctionInfo, SectionRecords};
pub use prototype::{Aggregate, CType, Parameter, Prototype};
pub(crate) use prototypes::LONG_DOUBLE;
pub use prototypes::{MAX_AGGREGATE, MAX_PARAMETERS, Prototypes};
pub use types::{
    Array, Composite, Enum, Enumerator, FunctionPrototype, Int, Kind, Linkage, Member, Name, SectionEntry, Span,
    Type, TypeId, TypedName,
};

use crate::program::endianness::Endianness;
use strings::Strings;

/// How many typedefs, qualifiers, arrays and structs inside each other are followed.
pub const MAX_NESTING: usize = 64;

/// The types of one object (or of a kernel).
#[derive(Clone, Debug)]
pub struct Btf {
    endianness: Endianness,
    strings: Strings,
    /// Indexed by [`TypeId`]; the first is `void`.
    types: Vec<Type>,
    members: Vec<Member>,
    enumerators: Vec<Enumerator>,
    parameters: Vec<TypedName>,
    entries: Vec<SectionEntry>,
    /// `FUNC`s and `VAR`s, ordered by name; static ones after others.
    symbols: Vec<TypeId>,
    /// What is in a `DATASEC`, and that; ordered.
    sections: Vec<(TypeId, TypeId)>,
}

/// A `FUNC` or a `VAR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// The `FUNC` or `VAR` itself.
    pub id: TypeId,
    /// Its name.
    pub name: &'a str,
    /// Which of the two it is.
    pub kind: SymbolKind,
    /// The `FUNC_PROTO` of a function, the type of a variable.
    pub ty: TypeId,
    /// Who sees it. bpf-gcc says static of every function, and global of every variable.
    pub linkage: Linkage,
}

/// Whether a name is code or data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SymbolKind {
    /// A `FUNC`.
    Function,
    /// A `VAR`.
    Variable,
}

impl Btf {
    /// Reads a `.BTF` section.
    ///
    /// # Errors
    ///
    /// If the section is cut off, has a kind of type whose length is not known, or refers to what it does not have.
    pub fn parse(bytes: &[u8]) -> Result<Btf, BtfError> {
        parse::parse(bytes, None)
    }

    /// Reads split BTF, as a kernel module has it: the numbers of its types and the offsets of its strings go on from
    /// those of `base`. What comes out has the types of both.
    ///
    /// # Errors
    ///
    /// As [`Btf::parse`]; [`BtfError::NoBase`] for BTF that is a whole, [`BtfError::BaseByteOrder`].
    pub fn parse_split(bytes: &[u8], base: &Btf) -> Result<Btf, BtfError> {
        parse::parse(bytes, Some(base))
    }

    /// Reads a file that is a raw `.BTF` section (as `/sys/kernel/btf/vmlinux` is) or an ELF file with one.
    ///
    /// # Errors
    ///
    /// If the file is neither, or for the same reasons as [`Btf::parse`].
    pub fn from_file_bytes(bytes: &[u8]) -> Result<Btf, BtfError> {
        Btf::from_file_bytes_on(bytes, None)
    }

    /// As [`Btf::from_file_bytes`]; with a base, of split BTF, as [`Btf::parse_split`].
    ///
    /// # Errors
    ///
    /// As both of these; [`BtfError::DistilledBase`] for the file of a module that is not of one kernel.
    pub fn from_file_bytes_on(bytes: &[u8], base: Option<&Btf>) -> Result<Btf, BtfError> {
        match parse::parse(bytes, base) {
            Err(BtfError::Magic { .. }) => {}
            other => return other,
        }
        let file = object::File::parse(bytes).map_err(BtfError::File)?;
        let section = file.section_by_name(".BTF").ok_or(BtfError::NoSection)?;
        if file.section_by_name(".BTF.base").is_some() {
            return Err(BtfError::DistilledBase);
        }
        parse::parse(section.data().map_err(BtfError::File)?, base)
    }

    /// The byte order that the section is in.
    pub fn endianness(&self) -> Endianness {
        self.endianness
    }

    /// All types but `void`, in order.
    pub fn types(&self) -> impl Iterator<Item = (TypeId, &Type)> {
        (0..).map(TypeId).zip(&self.types).skip(1)
    }

    /// How many types there are, without `void`.
    pub fn count(&self) -> u32 {
        (self.types.len() - 1) as u32
    }

    /// A type.
    ///
    /// # Errors
    ///
    /// If there is none of this number.
    pub fn get(&self, id: TypeId) -> Result<&Type, BtfError> {
        self.types.get(id.0 as usize).ok_or(BtfError::Type(id))
    }

    /// The type behind typedefs, `const`, `volatile`, `restrict` and type tags.
    ///
    /// # Errors
    ///
    /// If there are more than [`MAX_NESTING`] of them.
    pub fn resolve(&self, id: TypeId) -> Result<(TypeId, &Type), BtfError> {
        let mut at = id;
        for _ in 0..MAX_NESTING {
            let ty = self.get(at)?;
            match ty.kind.modified() {
                Some(next) => at = next,
                None => return Ok((at, ty)),
            }
        }
        Err(BtfError::Nesting(id))
    }

    /// Size of a value of this type in bytes; `None` for what has no size: `void`, functions, a struct of which only
    /// the name is known, an array of more than 2^64 bytes.
    ///
    /// # Errors
    ///
    /// If it is nested too deeply.
    pub fn size_of(&self, id: TypeId) -> Result<Option<u64>, BtfError> {
        let mut count = 1u64;
        let mut at = id;
        for _ in 0..MAX_NESTING {
            let (_, ty) = self.resolve(at)?;
            let bytes = match ty.kind {
                Kind::Array(array) => {
                    match count.checked_mul(u64::from(array.count)) {
                        Some(product) => count = product,
                        None => return Ok(None),
                    }
                    at = array.element;
                    continue;
                }
                Kind::Int(Int { bytes, .. })
                | Kind::Float { bytes }
                | Kind::Struct(Composite { bytes, .. })
                | Kind::Union(Composite { bytes, .. })
                | Kind::Enum(Enum { bytes, .. })
                | Kind::Enum64(Enum { bytes, .. })
                | Kind::DataSection { bytes, .. } => bytes,
                Kind::Pointer(_) => 8,
                Kind::Variable { ty, .. } => {
                    at = ty;
                    continue;
                }
                _ => return Ok(None),
            };
            return Ok(count.checked_mul(u64::from(bytes)));
        }
        Err(BtfError::Nesting(id))
    }

    /// The text of a name; empty for no name.
    pub fn name(&self, name: Name) -> &str {
        self.strings.get(name.0).unwrap_or("")
    }

    /// Members of a struct or a union.
    pub fn members(&self, composite: Composite) -> &[Member] {
        composite.members.of(&self.members)
    }

    /// Names and values of an enum.
    pub fn enumerators(&self, all: Enum) -> &[Enumerator] {
        all.enumerators.of(&self.enumerators)
    }

    /// Parameters of a function's type, the `...` included as one of type `void`.
    pub fn parameters(&self, prototype: FunctionPrototype) -> &[TypedName] {
        prototype.parameters.of(&self.parameters)
    }

    /// Variables and functions of a `DATASEC`.
    pub fn section_entries(&self, entries: Span) -> &[SectionEntry] {
        entries.of(&self.entries)
    }

    /// All functions and variables, by name.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.symbols.iter().filter_map(|&id| self.symbol_at(id))
    }

    /// The functions and variables of this name, those that other objects see first.
    pub fn symbols_named(&self, name: &str) -> impl Iterator<Item = Symbol<'_>> {
        let before = |&id: &TypeId| self.symbol_at(id).is_some_and(|symbol| symbol.name < name);
        let first = self.symbols.partition_point(before);
        let not_after = |&id: &TypeId| self.symbol_at(id).is_some_and(|symbol| symbol.name <= name);
        let count = self.symbols[first..].partition_point(not_after);
        self.symbols[first..first + count].iter().filter_map(|&id| self.symbol_at(id))
    }

    /// The function of this name; of several, one that other objects see.
    pub fn function(&self, name: &str) -> Option<Symbol<'_>> {
        self.symbols_named(name).find(|symbol| symbol.kind == SymbolKind::Function)
    }

    /// The variable of this name; of several, one that other objects see.
    pub fn variable(&self, name: &str) -> Option<Symbol<'_>> {
        self.symbols_named(name).find(|symbol| symbol.kind == SymbolKind::Variable)
    }

    /// The `FUNC` or `VAR` of this number.
    pub fn symbol_at(&self, id: TypeId) -> Option<Symbol<'_>> {
        let ty = self.get(id).ok()?;
        let (kind, of, linkage) = match ty.kind {
            Kind::Function { prototype, linkage } => (SymbolKind::Function, prototype, linkage),
            Kind::Variable { ty, linkage } => (SymbolKind::Variable, ty, linkage),
            _ => return None,
        };
        Some(Symbol { id, name: self.name(ty.name), kind, ty: of, linkage })
    }

    /// The `DATASEC` that a variable or function is in: `.maps`, `.kconfig`, `.ksyms`, or a plain section of data.
    pub fn section_of(&self, id: TypeId) -> Option<&str> {
        let index = self.sections.partition_point(|&(member, _)| member < id);
        let &(member, section) = self.sections.get(index)?;
        (member == id).then(|| self.get(section).ok().map(|ty| self.name(ty.name)))?
    }

    /// The C type of one function, given its `FUNC` or its `FUNC_PROTO`. For many functions, [`Prototypes`] shares
    /// what they have in common.
    ///
    /// # Errors
    ///
    /// As [`Prototypes::get`].
    pub fn prototype(&self, id: TypeId) -> Result<Prototype, BtfError> {
        Prototypes::new(self).get(id).map(|prototype| (*prototype).clone())
    }
}
