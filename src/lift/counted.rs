//! What lifting keeps of what is counted: edges, loops, weights.
//!
//! The rule: nothing here makes code; `counters.rs` does.

use std::collections::HashMap;

use cranelift_codegen::ir::{Block, Value};
use cranelift_frontend::Variable;

use crate::graph::{BlockIndex, Edge};

/// A block on an edge.
pub(super) struct CountedEdge {
    pub(super) block: Block,
    pub(super) counter: Option<u32>,
    /// Where it leads on.
    pub(super) to: Block,
}

/// The variables of the loops that count in registers.
#[derive(Default)]
pub(super) struct CountedLoops {
    /// The loop of each block.
    pub(super) of_block: HashMap<BlockIndex, usize>,
    /// For each loop, the variables of the counters.
    pub(super) variables: Vec<Vec<(u32, Variable)>>,
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
    pub(super) fn variable(&self, block: BlockIndex, counter: u32) -> Option<Variable> {
        let variables = &self.variables[*self.of_block.get(&block)?];
        variables.iter().find(|(of, _)| *of == counter).map(|(_, variable)| *variable)
    }
}
