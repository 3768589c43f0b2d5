//! One of two codes that are compared: its items, and what they refer to.
//!
//! In: a function, and its code as items. Out: the bytes of each, what a branch leads to, the relocations in an instruction.

use cranelift_module::{ModuleReloc, ModuleRelocTarget};

use crate::codegen::CompiledFunction;
use crate::x86::code::pieces::{Item, Items, Kind};

/// One of the two codes.
pub(crate) struct Side<'a> {
    pub(crate) function: &'a CompiledFunction,
    pub(crate) items: &'a Items,
    /// By offset.
    relocations: Vec<&'a ModuleReloc>,
}

impl<'a> Side<'a> {
    pub(crate) fn new(function: &'a CompiledFunction, items: &'a Items) -> Side<'a> {
        let mut relocations: Vec<&ModuleReloc> = function.relocations.iter().collect();
        relocations.sort_by_key(|relocation| relocation.offset);
        Side { function, items, relocations }
    }

    pub(crate) fn bytes(&self, item: &Item) -> &'a [u8] {
        item.bytes(&self.function.code).unwrap_or_default()
    }

    pub(crate) fn constants(&self) -> Option<&'a Item> {
        self.items.last().filter(|item| matches!(item.kind, Kind::Data))
    }

    /// What a branch leads to.
    pub(crate) fn target(&self, to: u32) -> usize {
        self.items.index_of(to).unwrap_or(usize::MAX)
    }

    /// The relocations in an instruction: where in it, of which kind, to what.
    pub(crate) fn relocations(&self, item: &Item) -> impl Iterator<Item = (u32, &'a ModuleReloc)> {
        let first = self.relocations.partition_point(|relocation| relocation.offset < item.start);
        let (start, end) = (item.start, item.start + item.size);
        let inside = self.relocations[first..].iter().take_while(move |relocation| relocation.offset < end);
        inside.map(move |&relocation| (relocation.offset - start, relocation))
    }
}

/// Whether two relocations are of the same symbol.
pub(crate) fn has_one_name(one: &ModuleReloc, other: &ModuleReloc) -> bool {
    use ModuleRelocTarget::{KnownSymbol, LibCall, User};
    match (&one.name, &other.name) {
        (User { namespace, index }, User { namespace: in_other, index: other }) => {
            (namespace, index) == (in_other, other)
        }
        (LibCall(one), LibCall(other)) => one == other,
        (KnownSymbol(one), KnownSymbol(other)) => one == other,
        // Places in the function itself, which move; nothing is read that refers to them.
        _ => false,
    }
}
