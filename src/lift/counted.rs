//! What lifting keeps of what is counted: edges, loops, weights.
//!
//! The rule: nothing here makes code; `counters.rs` does.

use std::collections::HashMap;

use cranelift_codegen::ir::{Block, Value};
use cranelift_frontend::Variable;

use crate::graph::{BlockIndex, Edge};
use crate::program::counters::Stride;

/// A block on an edge.
pub(super) struct CountedEdge {
    pub(super) block: Block,
    pub(super) counter: Option<u32>,
    /// Where it leads on.
    pub(super) to: Block,
}

/// What a counter has counted in a loop.
#[derive(Clone, Copy)]
pub(super) enum LoopCount {
    /// This, to which each run adds.
    Sum(Variable),
    /// What a register tells, and what that was where control entered the loop.
    Stride(Stride, Variable),
}

/// The loops that count in registers.
#[derive(Default)]
pub(super) struct CountedLoops {
    /// The loop of each block.
    pub(super) of_block: HashMap<BlockIndex, usize>,
    /// For each loop, its counters.
    pub(super) counts: Vec<Vec<(u32, LoopCount)>>,
    /// The blocks on their borders.
    pub(super) borders: HashMap<LoopBorder, Block>,
    /// Those that are not filled yet.
    pub(super) new_borders: Vec<(Block, LoopBorder)>,
}

/// Where control enters or leaves a loop that counts in registers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum LoopBorder {
    /// Into the loop of this index, to this block.
    Entry(usize, BlockIndex),
    /// Out of it, as this edge leads.
    Exit(usize, Edge),
}

/// What a branch that becomes selects counts, and its arms: the one that runs when the condition holds, the other one.
pub(super) struct Weights {
    pub(super) branch: Option<Value>,
    pub(super) arms: [Option<Value>; 2],
}

impl CountedLoops {
    /// What a counter has counted in the loop that a block is in.
    pub(super) fn count(&self, block: BlockIndex, counter: u32) -> Option<LoopCount> {
        let counts = &self.counts[*self.of_block.get(&block)?];
        counts.iter().find(|(of, _)| *of == counter).map(|(_, count)| *count)
    }
}
