//! What the names of a program are declared as in a Cranelift module.
//!
//! In: a program and its graphs. Out: for every function, data section and import, its Cranelift id and, where it
//! is called, how calls of it cross the border. Lifting only reads this, so that functions are lifted in parallel.

use std::collections::BTreeMap;

use cranelift_module::{DataId, FuncId};

use crate::abi::{Abi, Platform};
use crate::program::{DataSectionId, DataSymbolId, FunctionId, IdVec, ImportId};

/// Something that can be called.
#[derive(Clone, Debug)]
pub struct Callee {
    /// Its id in the module.
    pub id: FuncId,
    /// How calls of it cross the border.
    pub abi: Abi,
    /// Defined by this link, so a direct call reaches it.
    pub colocated: bool,
}

/// A data object.
#[derive(Clone, Copy, Debug)]
pub struct DataReference {
    /// Its id in the module.
    pub id: DataId,
    /// Defined by this link, so it is reached without a table of addresses.
    pub colocated: bool,
}

/// An import: called, or only its address taken.
#[derive(Clone, Debug)]
pub enum Imported {
    /// Called somewhere.
    Function(Callee),
    /// Never called.
    Data(DataReference),
}

/// The declarations of a program.
#[derive(Clone, Debug)]
pub struct Declarations {
    /// The platform at the border.
    pub platform: Platform,
    /// Functions.
    pub functions: IdVec<FunctionId, Callee>,
    /// Data sections.
    pub data: IdVec<DataSectionId, DataReference>,
    /// Weak data symbols, which objects reach by name.
    pub symbols: BTreeMap<DataSymbolId, DataReference>,
    /// Undefined symbols.
    pub imports: IdVec<ImportId, Imported>,
    /// Functions that instructions name without a symbol: helpers, kfuncs by number, the platform's functions.
    pub runtime: BTreeMap<String, Callee>,
}
