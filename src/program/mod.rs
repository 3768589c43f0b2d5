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
mod code;
mod core;
pub(crate) mod counters;
mod data;
pub(crate) mod endianness;
mod exceptions;
pub(crate) mod frequencies;
mod id;
mod import;
pub(crate) mod interface;
pub(crate) mod kinds;
mod linkage;
pub mod maps;
pub mod names;
mod place;
pub mod prefix;
mod relocation;
mod runtime;
mod script;
mod sections;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use self::core::CoreRelocation;
pub use arena::{ArenaData, ArenaSection};
pub use array_call::{ArrayCall, ArrayForm};
pub use code::{CodeSection, Function, Line, StructResult};
pub(crate) use data::COMMON;
pub use data::{Contents, DataKind, DataSection, DataSymbol};
pub use endianness::Endianness;
pub use exceptions::Exceptions;
pub use id::{CodeSectionId, DataSectionId, DataSymbolId, FileId, FunctionId, GroupId, Id, IdVec, ImportId};
pub use import::{Import, ImportKind, PrototypeSource};
pub use linkage::{Binding, Visibility};
pub use maps::{FieldKind, Map, MapDefinition, MapField, MapValue};
pub use place::Place;
pub use relocation::{Relocation, Target};
pub use script::{Half, Halves, ScriptKind};
pub use sections::{Attached, Edge, Group, edge};

use crate::btf::Btf;
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

impl Program {
    /// One that has nothing yet.
    pub(crate) fn new(endianness: Endianness) -> Program {
        Program {
            endianness,
            files: IdVec::new(),
            types: IdVec::new(),
            struct_results: IdVec::new(),
            code: IdVec::new(),
            functions: IdVec::new(),
            data: IdVec::new(),
            symbols: IdVec::new(),
            imports: IdVec::new(),
            attached: Vec::new(),
            groups: IdVec::new(),
            maps: Vec::new(),
            given_files: 0,
            tail_return: None,
            tail_enter: None,
            exceptions: None,
            arena: None,
            kept: Vec::new(),
            local_names: BTreeSet::new(),
            warnings: Vec::new(),
            core_relocations: Vec::new(),
            halves: None,
            counters: None,
        }
    }

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
