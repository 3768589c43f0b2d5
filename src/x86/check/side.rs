//! One side of the comparison: a function's fragments, and what they refer to.
//!
//! In: a function, and its code as fragments. Out: the bytes of each, targets of branches, the relocations in an instruction.

use cranelift_module::{ModuleReloc, ModuleRelocTarget};

use crate::codegen::compiled::CompiledFunction;
use crate::x86::code::fragments::{Fragment, FragmentKind, Fragments};

/// One side.
pub(crate) struct Side<'a> {
    pub(crate) function: &'a CompiledFunction,
    pub(crate) fragments: &'a Fragments,
    /// In the order of offsets.
    relocations: Vec<&'a ModuleReloc>,
}

impl<'a> Side<'a> {
    pub(crate) fn new(function: &'a CompiledFunction, fragments: &'a Fragments) -> Side<'a> {
        let mut relocations: Vec<&ModuleReloc> = function.relocations.iter().collect();
        relocations.sort_by_key(|relocation| relocation.offset);
        Side { function, fragments, relocations }
    }

    /// Whether branches or jump tables lead to each fragment.
    pub(crate) fn targets(&self) -> Vec<bool> {
        let mut targets = vec![false; self.fragments.len()];
        let mut mark = |to: u32| {
            if let Some(index) = self.fragments.index_of(to) {
                targets[index] = true;
            }
        };
        for fragment in self.fragments.iter() {
            match fragment.kind {
                FragmentKind::Branch { to, .. } => mark(to),
                FragmentKind::JumpTable => fragment.entries(&self.function.code).for_each(&mut mark),
                _ => {}
            }
        }
        targets
    }

    pub(crate) fn bytes(&self, fragment: &Fragment) -> &'a [u8] {
        fragment.bytes(&self.function.code).unwrap_or_default()
    }

    pub(crate) fn constants(&self) -> Option<&'a Fragment> {
        self.fragments.last().filter(|fragment| matches!(fragment.kind, FragmentKind::Constants))
    }

    /// What a branch leads to.
    pub(crate) fn target(&self, to: u32) -> usize {
        self.fragments.index_of(to).unwrap_or(usize::MAX)
    }

    /// The relocations in an instruction: where in it, of which kind, to what.
    pub(crate) fn relocations(&self, fragment: &Fragment) -> impl Iterator<Item = (u32, &'a ModuleReloc)> {
        let first = self.relocations.partition_point(|relocation| relocation.offset < fragment.start);
        let (start, end) = (fragment.start, fragment.start + fragment.size);
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
        // Offsets in the function itself; such functions are not read at all.
        _ => false,
    }
}
