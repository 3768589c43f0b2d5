//! All instructions of a function, in the order of the layout.
//!
//! In: a function. Out: an iterator. Most passes begin by looking for what they change, find nothing, and this is then what they take: so
//! it is one loop over the layout's lists, where a `flat_map` over blocks and their instructions, which can be gone over from both ends,
//! does more for each of them.

use cranelift_codegen::ir::{Block, Function, Inst, Layout};

/// The instructions of a function.
pub(crate) struct Insts<'f> {
    layout: &'f Layout,
    /// The block that is gone over.
    block: Option<Block>,
    /// Its next instruction.
    next: Option<Inst>,
}

/// All instructions of a function.
pub(crate) fn insts(function: &Function) -> Insts<'_> {
    let layout = &function.layout;
    let block = layout.entry_block();
    Insts { layout, block, next: block.and_then(|block| layout.first_inst(block)) }
}

impl Iterator for Insts<'_> {
    type Item = Inst;

    #[inline]
    fn next(&mut self) -> Option<Inst> {
        loop {
            if let Some(inst) = self.next {
                self.next = self.layout.next_inst(inst);
                return Some(inst);
            }
            self.block = self.layout.next_block(self.block?);
            self.next = self.layout.first_inst(self.block?);
        }
    }
}
