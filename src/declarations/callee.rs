//! What can be called, and data that can be referred to.

use cranelift_codegen::ir::UserExternalName;
use cranelift_module::{DataId, FuncId};

use crate::abi::Abi;
use crate::abi::libc::InPlace;

/// The namespace of functions in names that Cranelift keeps as numbers; `cranelift_module` numbers them so.
pub const FUNCTIONS: u32 = 0;

/// The namespace of data.
pub const DATA: u32 = 1;

/// The namespace of the instruction that prefetches, which is no function: CLIF calls it, and `codegen/prefetch.rs` puts the
/// instruction in the place of the call.
pub const PREFETCH: u32 = 2;

/// Something that can be called.
#[derive(Clone, Debug)]
pub struct Callee {
    /// Its id in the module.
    pub id: FuncId,
    /// How calls of it cross the border.
    pub abi: Abi,
    /// The same, where the caller has the struct in registers that it returns ([`crate::graph::Graph::struct_results`]).
    pub in_registers: Option<Box<Abi>>,
    /// Defined by this link, so a direct call reaches it.
    pub colocated: bool,
    /// Another definition may take its place: it is undefined here, or weak in an object.
    pub replaceable: bool,
    /// Which of C's functions it is, for those that may be done in place.
    pub c_function: Option<InPlace>,
}

/// A data object.
#[derive(Clone, Copy, Debug)]
pub struct DataReference {
    /// Its id in the module.
    pub id: DataId,
    /// Defined by this link, so it is reached without a table of addresses.
    pub colocated: bool,
}

impl DataReference {
    /// Its name in CLIF.
    pub fn name(&self) -> UserExternalName {
        UserExternalName { namespace: DATA, index: self.id.as_u32() }
    }
}
