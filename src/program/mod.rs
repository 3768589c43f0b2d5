//! The merged program: what all the given objects say together, after the work of a linker and before any
//! instruction is looked at.
//!
//! Comes in: nothing by itself; [`crate::parse`] builds it from objects. Goes out: by shared reference, to every
//! later phase. Nothing changes a `Program` once it is built.
//!
//! | part | from | becomes |
//! |---|---|---|
//! | [`CodeSection`] | an executable section of one object | nothing itself: functions are byte ranges of it |
//! | [`Function`] | a symbol, or a call target, in a code section | a native function |
//! | [`DataSection`] | an allocated section of one object, or a COMMON symbol | one native data object |
//! | [`DataSymbol`] | a global or weak symbol in a data section | a native symbol |
//! | [`Import`] | an undefined symbol | a native symbol, resolved by name |
//!
//! Addresses: a place in code is (section, byte offset), a place in data is (section, byte offset). All offsets are
//! in bytes of BPF code or of data; an instruction slot is 8 bytes.

pub(crate) mod arena;
mod array_call;
mod core;
pub(crate) mod counters;
pub(crate) mod endianness;
mod exceptions;
pub(crate) mod frequencies;
mod id;
pub(crate) mod interface;
pub(crate) mod kinds;
pub mod maps;
pub mod names;
pub mod prefix;
mod runtime;
mod script;
mod sections;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

pub use self::core::CoreRelocation;
pub use arena::{ArenaData, ArenaSection};
pub use array_call::{ArrayCall, ArrayForm};
pub use exceptions::Exceptions;
pub use id::{CodeSectionId, DataSectionId, DataSymbolId, FileId, FunctionId, GroupId, Id, IdVec, ImportId};
pub use maps::{FieldKind, Map, MapDefinition, MapField, MapValue};
pub use script::{Half, Halves, ScriptKind};
pub use sections::{Attached, Edge, Group, edge};

pub use endianness::Endianness;

use crate::btf::{Btf, Prototype};
use crate::warning::Warning;

/// Everything that the given objects define, refer to and ask for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Program {
    /// Byte order, the same for all objects.
    pub endianness: Endianness,
    /// Names of the objects, as given (`lib.a(member.o)` for a member of an archive): for errors and line tables.
    pub files: IdVec<FileId, String>,
    /// The types of each object that has BTF: what its variables, maps and contexts are, for whoever shows or sets them.
    pub types: IdVec<FileId, Option<Arc<Btf>>>,
    /// How each object returns structs of up to 16 bytes, where its compiler's version says it.
    pub struct_results: IdVec<FileId, Option<StructResult>>,
    /// Executable sections.
    pub code: IdVec<CodeSectionId, CodeSection>,
    /// Functions, ordered by file, section and start.
    pub functions: IdVec<FunctionId, Function>,
    /// Data sections.
    pub data: IdVec<DataSectionId, DataSection>,
    /// Global and weak data symbols.
    pub symbols: IdVec<DataSymbolId, DataSymbol>,
    /// Undefined symbols, each name once.
    pub imports: IdVec<ImportId, Import>,
    /// Sections that tools read in a file and no program.
    pub attached: Vec<Attached>,
    /// Groups that sections belong to.
    pub groups: IdVec<GroupId, Group>,
    /// Maps (`.maps` and `maps` sections).
    pub maps: Vec<Map>,
    /// How many of the files were given: those behind them are the runtime's, of which only what is reached is translated.
    pub given_files: usize,
    /// The runtime's function that is called when a function has returned that was tail-called, if the program has it.
    pub tail_return: Option<FunctionId>,
    /// The runtime's function that a program calls at its entry, whose functions make tail calls; at its end it calls `tail_return`.
    pub tail_enter: Option<FunctionId>,
    /// What the program has for `bpf_throw`, if that is the runtime's.
    pub exceptions: Option<Exceptions>,
    /// Which global variables lie in arenas, if the program has such.
    pub arena: Option<ArenaData>,
    /// Functions of the runtime that are translated though nothing reaches them.
    pub kept: Vec<FunctionId>,
    /// Names of functions and data that no other object of a link sees, though the program's own objects do: what the runtime calls by
    /// them is a library's.
    pub local_names: BTreeSet<String>,
    /// What was noticed and does not stop translation.
    pub warnings: Vec<Warning>,
    /// What the objects' CO-RE relocations ask for, sorted by place; only where
    /// [`Options::core_relocations`](crate::parse::Options::core_relocations) wants them.
    pub core_relocations: Vec<CoreRelocation>,
    /// Which functions are the kernel's, where the program has a kernel half
    /// ([`Options::kernel_half`](crate::parse::Options::kernel_half)).
    pub halves: Option<Halves>,
    /// What counts how often its code runs, if something does.
    pub(crate) counters: Option<Arc<counters::Counters>>,
}

/// How BPF code returns a struct or union of up to 16 bytes: compilers have changed that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StructResult {
    /// The caller passes the address of the result as the first argument.
    #[default]
    Pointer,
    /// In r0, and r2 from 9 bytes on.
    Registers,
}

/// One executable section of one object.
#[derive(Clone, Debug)]
pub struct CodeSection {
    /// The object it is from.
    pub file: FileId,
    /// Its name, such as `.text` or `xdp`.
    pub name: String,
    /// The group that it is a member of.
    pub group: Option<GroupId>,
    /// The instructions, as in the object; a multiple of 8 bytes.
    pub bytes: Vec<u8>,
    /// What the relocations of this section resolve to, sorted by `offset`, at most one for an instruction.
    pub relocations: Vec<Relocation>,
    /// Calls that pass their arguments in memory, with the byte offsets of their instructions, sorted.
    pub array_calls: Vec<(u64, ArrayCall)>,
    /// Source lines, sorted by `offset`: of `.BTF.ext`, or else of DWARF.
    pub lines: Vec<Line>,
}

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

impl Target {
    /// The function that it is, by one of its names, where no link gives them another meaning.
    pub fn function(self, program: &Program) -> Option<FunctionId> {
        match self {
            Target::Function(function) => Some(function),
            Target::Import { import, addend: 0 } => program.imports[import].alias_of,
            _ => None,
        }
    }
}

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

/// A function: a byte range of a code section.
#[derive(Clone, Debug, Hash)]
pub struct Function {
    /// Its symbol's name; `section+0x18` where the object has no symbol for it.
    pub name: String,
    /// The code section.
    pub section: CodeSectionId,
    /// Byte offset of its first instruction in the section.
    pub start: u64,
    /// Byte offset past its last instruction. A jump or a fall-through that leaves `start..end` traps.
    pub end: u64,
    /// `STB_*`.
    pub binding: Binding,
    /// `STV_*`.
    pub visibility: Visibility,
    /// Its address is taken, so native code may call it.
    pub address_taken: bool,
    /// Bytes of its stack frame, where the compiler says so.
    pub stack_size: Option<u64>,
    /// What its frame's end is a multiple of, where its compiler may have presumed more than 8 bytes.
    pub stack_alignment: Option<u64>,
    /// Its C type from BTF. Parameters of a function that is local and not address-taken are not to be trusted:
    /// the compiler may have removed some.
    pub prototype: Option<Arc<Prototype>>,
    /// Other names of the same start (aliases), with their binding and visibility.
    pub aliases: Vec<(String, Binding, Visibility)>,
}

impl Function {
    /// Whether code outside the given objects can call it: global, weak, or address taken.
    pub fn is_reachable_from_native(&self) -> bool {
        self.binding != Binding::Local || self.address_taken || !self.aliases.is_empty()
    }
}

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

/// The source line of the instructions from `offset` up to the next line's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Line {
    /// Byte offset in the code section.
    pub offset: u64,
    /// Source file, as the compiler recorded it.
    pub file: Arc<str>,
    /// The source text, where the object has it.
    pub text: Arc<str>,
    /// Line, counted from 1.
    pub line: u32,
    /// Column, counted from 1; 0 if unknown.
    pub column: u32,
}

impl Program {
    /// The function of this name that other objects can see.
    pub fn function_named(&self, name: &str) -> Option<FunctionId> {
        self.functions.iter().find_map(|(id, function)| {
            let own = function.name == name && function.binding != Binding::Local;
            let alias = function.aliases.iter().any(|(alias, ..)| alias == name);
            (own || alias).then_some(id)
        })
    }

    /// The function whose first instruction is at `offset` of a code section: where a call without relocation goes.
    pub fn function_at(&self, section: CodeSectionId, offset: u64) -> Option<FunctionId> {
        function_at(self.functions.as_slice(), section, offset)
    }

    /// The place in data that a target is for certain: no link gives a name another meaning.
    pub fn data_place(&self, target: Target) -> Option<(DataSectionId, i64)> {
        match target {
            Target::Data { section, offset } => Some((section, offset)),
            Target::Symbol { symbol, addend } => {
                let symbol = &self.symbols[symbol];
                let offset = symbol.offset.cast_signed().wrapping_add(addend);
                (symbol.binding != Binding::Weak).then_some((symbol.section, offset))
            }
            _ => None,
        }
    }

    /// What the relocation of the instruction at `offset` resolves to.
    pub fn code_target(&self, section: CodeSectionId, offset: u64) -> Option<Target> {
        let relocations = &self.code[section].relocations;
        let index = relocations.binary_search_by_key(&offset, |relocation| relocation.offset).ok()?;
        Some(relocations[index].target)
    }

    /// The source line of the instruction at `offset`.
    pub fn line(&self, section: CodeSectionId, offset: u64) -> Option<&Line> {
        let lines = &self.code[section].lines;
        let after = lines.partition_point(|line| line.offset <= offset);
        lines.get(after.checked_sub(1)?)
    }

    /// Where an instruction is, for an error.
    pub fn place(&self, section: CodeSectionId, function: Option<FunctionId>, offset: u64) -> Box<Place> {
        let code = &self.code[section];
        Box::new(Place {
            file: self.files[code.file].clone(),
            section: code.name.clone(),
            function: function.map(|id| self.functions[id].name.clone()),
            offset: Some(offset),
        })
    }
}

/// The function that begins there; `functions` are ordered by section and start.
pub(crate) fn function_at(functions: &[Function], section: CodeSectionId, offset: u64) -> Option<FunctionId> {
    let place = |function: &Function| (function.section, function.start);
    functions.binary_search_by_key(&(section, offset), place).ok().map(FunctionId::new)
}

/// Where in the input an error is: as much as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The object.
    pub file: String,
    /// The section.
    pub section: String,
    /// The function.
    pub function: Option<String>,
    /// Byte offset of the instruction (or of the data) in the section.
    pub offset: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: section `{}`", self.file, self.section)?;
        if let Some(offset) = self.offset {
            write!(f, " at {offset:#x}")?;
        }
        if let Some(function) = &self.function {
            write!(f, ", function `{function}`")?;
        }
        Ok(())
    }
}
