//! Which stores to parts of promoted slots keep the rest.
//!
//! Compilers put values of 4 and of 8 bytes into one slot, one after the other. A store of 4 bytes keeps the other 4 of what was
//! there, which nobody reads; but as a value, the old contents would live on, around loops too. In: a graph, the accesses of one
//! slot. Out: the stores after which the bytes that they do not write may be read. The rule: a byte is live where a path leads to a
//! load of it without a store to it (a backward data-flow analysis). Each block is visited once for each byte at most.

use crate::graph::{BlockIndex, Graph};

/// An access of a slot.
#[derive(Clone, Copy)]
pub(super) struct PartAccess {
    /// The index of the instruction.
    pub(super) instruction: usize,
    /// A bit for each byte of the slot that it accesses.
    pub(super) bytes: u8,
    pub(super) is_store: bool,
}

/// What is known of a slot in a block: a bit for each byte.
#[derive(Clone, Copy, Default)]
struct BlockLiveness {
    /// Those that it reads before it writes them.
    read: u8,
    written: u8,
    live_out: u8,
}

impl BlockLiveness {
    fn live_in(self) -> u8 {
        self.read | self.live_out & !self.written
    }
}

/// The liveness of one slot after the other, in a function.
pub(super) struct SlotLiveness<'a> {
    graph: &'a Graph,
    blocks: Vec<BlockLiveness>,
    /// The blocks of which something is known.
    touched: Vec<BlockIndex>,
}

impl<'a> SlotLiveness<'a> {
    pub(super) fn new(graph: &'a Graph) -> SlotLiveness<'a> {
        SlotLiveness { graph, blocks: vec![BlockLiveness::default(); graph.blocks.len()], touched: Vec::new() }
    }

    /// Calls `keeps` with each store of a slot that keeps the rest of it; `accesses` are all of the slot, by instructions.
    pub(super) fn keeping_stores(&mut self, accesses: &[PartAccess], mut keeps: impl FnMut(usize)) {
        for block in self.touched.drain(..) {
            self.blocks[block] = BlockLiveness::default();
        }
        let graph = self.graph;
        let block_of = |access: &PartAccess| {
            let behind = graph.blocks.partition_point(|block| block.start <= access.instruction);
            behind.checked_sub(1).filter(|&block| access.instruction < graph.blocks[block].end)
        };
        let in_blocks = || accesses.chunk_by(|one, other| block_of(one) == block_of(other));
        let known = || in_blocks().filter_map(|of_block| Some((block_of(&of_block[0])?, of_block)));
        for (block, of_block) in known() {
            let liveness = &mut self.blocks[block];
            for access in of_block {
                match access.is_store {
                    true => liveness.written |= access.bytes,
                    false => liveness.read |= access.bytes & !liveness.written,
                }
            }
            self.touched.push(block);
        }
        let mut open: Vec<BlockIndex> = self.touched.clone();
        while let Some(block) = open.pop() {
            let live = self.blocks[block].live_in();
            for &before in graph.predecessors.get(block) {
                let liveness = &mut self.blocks[before];
                if live & !liveness.live_out != 0 {
                    let live_in = liveness.live_in();
                    liveness.live_out |= live;
                    self.touched.push(before);
                    if liveness.live_in() != live_in {
                        open.push(before);
                    }
                }
            }
        }
        for (block, of_block) in known() {
            let mut live = self.blocks[block].live_out;
            for access in of_block.iter().rev() {
                if !access.is_store {
                    live |= access.bytes;
                    continue;
                }
                live &= !access.bytes;
                if live != 0 {
                    keeps(access.instruction);
                }
            }
        }
    }
}
