//! Counters of coverage ([`Counters`](crate::program::counters::Counters)).
//!
//! | where | CLIF |
//! |---|---|
//! | a block, the function's entry, after a call | `load`, `iadd`, `store` of the counter |
//! | an outcome of a branch | the same, in a block on the edge |
//! | an arm of a select, its outcome | `iadd` of 0 or 1, by the conditions |
//! | in a loop of [`FunctionCounters::loops`](crate::program::counters::FunctionCounters::loops) | `iadd` of a variable, which the edges out of the loop add to the counter |
//!
//! The accesses are plain, as the program's own are: no pass drops or doubles one.

use std::collections::BTreeSet;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, InstBuilder, MemFlagsData, Value};

use super::counted::{CountedEdge, Weights};
use super::lifter::Lifter;
use crate::abi::WORD;
use crate::graph::{BlockIndex, Edge, RegisterJump, Terminator};
use crate::program::counters::COUNTER;

impl Lifter<'_, '_> {
    /// Counts a call of the function, and prepares the loops that count in registers.
    pub(super) fn start_counting(&mut self) {
        let Some(counters) = self.counters else { return };
        self.add(counters.entry, None);
        if counters.loops.is_empty() {
            return;
        }
        let zero = self.builder.ins().iconst(WORD, 0);
        self.counted_loops.zero = Some(zero);
        for (index, blocks) in counters.loops.iter().enumerate() {
            let of_blocks = blocks.iter().filter_map(|&block| *counters.blocks.get(block)?);
            let of_outcomes = blocks
                .iter()
                .flat_map(|&block| counters.outcomes.range((block, 0)..=(block, usize::MAX)))
                .filter(|((block, outcome), _)| !self.leaves_loop(blocks, *block, *outcome));
            let counted: Vec<u32> = of_blocks.chain(of_outcomes.map(|(_, counter)| *counter)).collect();
            let mut variables = Vec::new();
            for counter in counted {
                let variable = self.builder.declare_var(WORD);
                self.builder.def_var(variable, zero);
                variables.push((counter, variable));
            }
            self.counted_loops.variables.push(variables);
            self.counted_loops.of_block.extend(blocks.iter().map(|&block| (block, index)));
        }
    }

    /// Whether an outcome of a block of a loop leads out of it.
    fn leaves_loop(&self, blocks: &BTreeSet<BlockIndex>, block: BlockIndex, outcome: usize) -> bool {
        let edge = match &self.graph.blocks[block].terminator {
            Terminator::Goto(edge) => Some(*edge),
            Terminator::Branch { taken, fallthrough } => [*taken, *fallthrough].get(outcome).copied(),
            Terminator::Register(jump) => jump.outcomes().get(outcome).copied(),
            Terminator::Return => None,
        };
        !matches!(edge, Some(Edge::Block(next)) if blocks.contains(&next))
    }

    /// Counts, in the loop's register where the block is in such a loop.
    fn count(&mut self, counter: Option<u32>) {
        let variable = counter.and_then(|counter| self.counted_loops.variable(self.block, counter));
        let Some(variable) = variable else { return self.add(counter, self.weight) };
        let count = self.builder.use_var(variable);
        let count = match self.weight {
            Some(weight) => self.builder.ins().iadd(count, weight),
            None => self.builder.ins().iadd_imm_s(count, 1),
        };
        self.builder.def_var(variable, count);
    }

    /// Counts the outcomes of a branch that becomes selects.
    pub(super) fn count_arms(&mut self, condition: Value) -> Weights {
        let branch = self.weight;
        let Some(counters) = self.counters else { return Weights { branch, arms: [None; 2] } };
        let holds = self.builder.ins().icmp_imm_u(IntCC::NotEqual, condition, 0);
        let holds = self.builder.ins().uextend(WORD, holds);
        let (taken, fallthrough) = match branch {
            Some(weight) => {
                let taken = self.builder.ins().band(weight, holds);
                (taken, self.builder.ins().isub(weight, taken))
            }
            None => (holds, self.builder.ins().bxor_imm_u(holds, 1)),
        };
        for (outcome, weight) in [taken, fallthrough].into_iter().enumerate() {
            self.weight = Some(weight);
            self.count(counters.outcomes.get(&(self.block, outcome)).copied());
        }
        self.weight = branch;
        Weights { branch, arms: [Some(taken), Some(fallthrough)] }
    }

    /// Adds one, or this value, to a counter in memory.
    fn add(&mut self, counter: Option<u32>, value: Option<Value>) {
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
        let count = match value {
            Some(value) => self.builder.ins().iadd(count, value),
            None => self.builder.ins().iadd_imm_s(count, 1),
        };
        self.builder.ins().store(MemFlagsData::trusted(), count, start, offset);
    }

    /// Adds what the block's loop counted to memory, where an edge leaves it.
    pub(super) fn leave_loop_by(&mut self, edge: Edge) {
        let Some(index) = self.left_loop(edge) else { return };
        let zero = self.counted_loops.zero.expect("there is a loop");
        for (counter, variable) in self.counted_loops.variables[index].clone() {
            let count = self.builder.use_var(variable);
            self.add(Some(counter), Some(count));
            self.builder.def_var(variable, zero);
        }
    }

    /// Counts the block that is being lifted.
    pub(super) fn count_block(&mut self) {
        let Some(counters) = self.counters else { return };
        let counter = counters.blocks.get(self.block).copied().flatten();
        if let (Some(_), Some(first)) = (counter, self.graph.instructions.get(self.graph.blocks[self.block].start))
        {
            self.at = *first;
            self.set_location();
        }
        self.count(counter);
    }

    /// Counts that control came back from the instruction that was lifted.
    pub(super) fn count_return(&mut self) {
        let Some(counters) = self.counters else { return };
        self.count(counters.after.get(&self.at.offset).copied());
    }

    /// The loop that an outcome of the block leaves, of those that count in registers.
    fn left_loop(&self, edge: Edge) -> Option<usize> {
        let own = *self.counted_loops.of_block.get(&self.block)?;
        match edge {
            Edge::Block(next) if self.counted_loops.of_block.get(&next) == Some(&own) => None,
            _ => Some(own),
        }
    }

    /// Where an outcome of the block's branch leads: where it is counted, or leaves a loop, to a block of its own, which
    /// [`Self::count_outcomes`] fills.
    pub(super) fn outcome(&mut self, outcome: usize, edge: Edge) -> Block {
        let counter = self.counters.and_then(|counters| counters.outcomes.get(&(self.block, outcome)).copied());
        if counter.is_none() && self.left_loop(edge).is_none() {
            return self.edge(edge);
        }
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
            self.count(counter);
            self.leave_loop_by(edge);
            let target = self.edge(edge);
            self.builder.ins().jump(target, &[]);
        }
    }
}
