//! Counters of coverage ([`Counters`](crate::program::counters::Counters)).
//!
//! | where | CLIF |
//! |---|---|
//! | a block, the function's entry, after a call | `load`, `iadd`, `store` of the counter |
//! | an outcome of a branch | the same, in a block on the edge |
//!
//! The accesses are plain, as the program's own are: no pass drops or doubles one.

use cranelift_codegen::ir::{Block, InstBuilder, MemFlagsData};

use super::lifter::Lifter;
use crate::abi::WORD;
use crate::graph::{Edge, RegisterJump};
use crate::program::counters::COUNTER;

/// A block on an edge.
pub(super) struct CountedEdge {
    block: Block,
    counter: u32,
    edge: Edge,
}

impl Lifter<'_, '_> {
    /// Counts up.
    pub(super) fn count(&mut self, counter: Option<u32>) {
        let (Some(counter), Some(counters)) = (counter, &self.program.counters) else { return };
        let counters = self.declarations.section(counters.section);
        let start = self.symbol_value(counters);
        let place = (u64::from(counter) * COUNTER) as i64;
        // An access has an offset of 32 bits.
        let (start, offset) = match i32::try_from(place) {
            Ok(offset) => (start, offset),
            Err(_) => (self.builder.ins().iadd_imm_s(start, place), 0),
        };
        let count = self.builder.ins().load(WORD, MemFlagsData::trusted(), start, offset);
        let count = self.builder.ins().iadd_imm_s(count, 1);
        self.builder.ins().store(MemFlagsData::trusted(), count, start, offset);
    }

    /// Counts a call of the function.
    pub(super) fn count_entry(&mut self) {
        self.count(self.counters.and_then(|counters| counters.entry));
    }

    /// Counts the block that is being lifted.
    pub(super) fn count_block(&mut self) {
        let counter = self.counters.and_then(|counters| *counters.blocks.get(self.block)?);
        if let (Some(_), Some(first)) = (counter, self.graph.instructions.get(self.graph.blocks[self.block].start))
        {
            self.at = *first;
            self.set_location();
        }
        self.count(counter);
    }

    /// Counts that control came back from the instruction that was lifted.
    pub(super) fn count_return(&mut self) {
        self.count(self.counters.and_then(|counters| counters.after.get(&self.at.offset).copied()));
    }

    /// Where an outcome of the block's branch leads: where it is counted, to a block of its own, which
    /// [`Self::count_outcomes`] fills.
    pub(super) fn outcome(&mut self, outcome: usize, edge: Edge) -> Block {
        let counter = self.counters.and_then(|counters| counters.outcomes.get(&(self.block, outcome)).copied());
        let Some(counter) = counter else { return self.edge(edge) };
        let block = self.builder.create_block();
        self.counted_edges.push(CountedEdge { block, counter, edge });
        block
    }

    /// Where the outcomes of a jump through a register lead that are counted.
    pub(super) fn register_outcomes(&mut self, jump: &RegisterJump) -> Vec<(Edge, Block)> {
        match self.counters {
            Some(_) => {
                let outcomes = jump.outcomes().into_iter().enumerate();
                outcomes.map(|(outcome, edge)| (edge, self.outcome(outcome, edge))).collect()
            }
            None => Vec::new(),
        }
    }

    /// Fills the blocks on edges of the block's branch.
    pub(super) fn count_outcomes(&mut self) {
        for CountedEdge { block, counter, edge } in std::mem::take(&mut self.counted_edges) {
            self.builder.switch_to_block(block);
            self.count(Some(counter));
            let target = self.edge(edge);
            self.builder.ins().jump(target, &[]);
        }
    }
}
