//! What the names of a program are declared as in a Cranelift module.
//!
//! In: a program and its graphs. Out: for every function, data section and import, its Cranelift id and, where it
//! is called, how calls of it cross the border. Lifting only reads this, so that functions are lifted in parallel.

pub(crate) mod adapters;
mod callee;

use std::collections::BTreeMap;

use cranelift_module::{DataId, FuncId};

use crate::abi::Platform;
use crate::abi::libcalls::Libcall;
use crate::graph::LabelNumbers;
use crate::program::{DataSectionId, DataSymbolId, FunctionId, IdVec, ImportId, Target};

use adapters::Adapters;
pub use callee::{Callee, DATA, DataReference, FUNCTIONS, PREFETCH};

/// An import: called, or only its address taken.
#[derive(Clone, Debug)]
pub enum Imported {
    /// Called somewhere.
    Function(Callee),
    /// Never called.
    Data(DataReference),
    /// Only called, and lifted inline.
    Inline(Libcall),
    /// Not used by what is translated.
    Unused,
}

/// A symbol whose address code cannot know by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outside {
    /// A function.
    Function(FuncId),
    /// Data.
    Data(DataId),
}

/// A table of addresses, for objects whose code cannot ask the linker for one, or would ask it for too much
/// ([`crate::config::has_address_table`]): code loads from it the addresses of what another object may define.
#[derive(Clone, Debug)]
pub struct AddressTable {
    /// The table, which is read-only once it is relocated.
    pub data: DataReference,
    slots: BTreeMap<Outside, usize>,
}

impl AddressTable {
    /// The size of a slot in bytes.
    pub const SLOT: usize = 8;

    /// A table with the addresses of `symbols`, which is to be defined as `data`.
    pub fn new(data: DataReference, symbols: impl IntoIterator<Item = Outside>) -> AddressTable {
        let mut slots = BTreeMap::new();
        for symbol in symbols {
            let next = slots.len() * AddressTable::SLOT;
            slots.entry(symbol).or_insert(next);
        }
        AddressTable { data, slots }
    }

    /// The byte offset of the slot that has the address of `symbol`.
    pub fn offset(&self, symbol: Outside) -> Option<usize> {
        self.slots.get(&symbol).copied()
    }

    /// All symbols, with their offsets.
    pub fn slots(&self) -> impl Iterator<Item = (Outside, usize)> + '_ {
        self.slots.iter().map(|(&symbol, &offset)| (symbol, offset))
    }
}

/// The declarations of a program.
#[derive(Clone, Debug)]
pub struct Declarations {
    /// The platform at the border.
    pub platform: Platform,
    /// Functions; none for one that is not translated.
    pub functions: IdVec<FunctionId, Option<Callee>>,
    /// Data sections; none for one that is not translated.
    pub data: IdVec<DataSectionId, Option<DataReference>>,
    /// Data symbols that are reached by name ([`crate::resolution::Resolution::is_elsewhere`]).
    pub symbols: BTreeMap<DataSymbolId, DataReference>,
    /// Functions whose address is that of their name, and the names
    /// ([`crate::resolution::Resolution::has_other_address`]).
    pub exported: BTreeMap<FunctionId, Callee>,
    /// Undefined symbols.
    pub imports: IdVec<ImportId, Imported>,
    /// What calls through registers call in place of functions whose words do not go as they are, if there are any.
    pub adapters: Option<Adapters>,
    /// Functions that instructions name without a symbol: helpers, kfuncs by number, the platform's functions.
    pub runtime: BTreeMap<String, Callee>,
    /// Where code finds the addresses of symbols that others define, if not in instructions.
    pub addresses: Option<AddressTable>,
    /// The values that stand for labels.
    pub labels: LabelNumbers,
}

impl Declarations {
    /// A function that is translated, as all are that translated code refers to.
    pub fn function(&self, id: FunctionId) -> &Callee {
        self.functions[id].as_ref().expect("what translated code refers to is selected")
    }

    /// What the address of a function is of.
    pub fn address_of(&self, id: FunctionId) -> &Callee {
        self.exported.get(&id).unwrap_or_else(|| self.function(id))
    }

    /// What a target calls, if it is a function.
    pub fn callee(&self, target: Target) -> Option<&Callee> {
        match target {
            Target::Function(id) => self.functions[id].as_ref(),
            Target::Import { import, addend: 0 } => match &self.imports[import] {
                Imported::Function(callee) => Some(callee),
                Imported::Data(_) | Imported::Inline(_) | Imported::Unused => None,
            },
            _ => None,
        }
    }

    /// A data section that is translated, as all are that translated code refers to.
    pub fn section(&self, id: DataSectionId) -> DataReference {
        self.data[id].expect("what translated code refers to is selected")
    }
}
