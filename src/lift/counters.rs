//! Counters of coverage ([`Counters`](crate::program::counters::Counters)).
//!
//! | where | CLIF |
//! |---|---|
//! | a block, the function's entry, after a call | `load`, `iadd`, `store` of the counter |
//! | an outcome of a branch | the same, in a block on the edge |
//! | an arm of a select, its outcome | `iadd` of 0 or 1, by the conditions |
//! | in a loop of [`FunctionCounters::loops`](crate::program::counters::FunctionCounters::loops) | `iadd` of a variable, which is zero on the edges into the loop, and which the edges out of it add to the counter |
//! | a block of one with a [`Stride`] | nothing; the edges out add the difference of the register to what it was on the edges in, by `isub` and `ushr_imm_u` |
//!
//! The accesses are plain, as the program's own are: no pass drops or doubles one.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, InstBuilder, MemFlagsData, Value, types};
use cranelift_frontend::Variable;

use super::counted::{CountedEdge, CountedLoops, LoopBorder, LoopCount, Weights};
use super::lifter::Lifter;
use crate::abi::WORD;
use crate::decode::insn::{Cond, Insn};
use crate::graph::{BlockIndex, Edge, RegisterJump};
use crate::program::counters::{COUNTER, CountedLoop, Stride};

impl Lifter<'_, '_> {
    /// Counts a call of the function, and prepares the loops that count in registers.
    pub(super) fn start_counting(&mut self) {
        let Some(counters) = self.counters else { return };
        self.add(counters.entry, None);
        for (index, CountedLoop { blocks, counters }) in counters.loops.iter().enumerate() {
            let count = |(&counter, stride): (&u32, &Option<Stride>)| {
                let variable = self.builder.declare_var(WORD);
                (counter, stride.map_or(LoopCount::Sum(variable), |stride| LoopCount::Stride(stride, variable)))
            };
            self.counted_loops.counts.push(counters.iter().map(count).collect());
            self.counted_loops.of_block.extend(blocks.iter().map(|&block| (block, index)));
        }
    }

    /// Counts, in the loop's register where the block is in such a loop.
    fn count(&mut self, counter: Option<u32>) {
        let variable = match counter.and_then(|counter| self.counted_loops.count(self.block, counter)) {
            Some(LoopCount::Sum(variable)) => variable,
            Some(LoopCount::Stride(..)) => return,
            None => return self.add(counter, self.weight),
        };
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
        let [taken, fallthrough] = [IntCC::NotEqual, IntCC::Equal].map(|code| {
            let comes_about = self.builder.ins().icmp_imm_u(code, condition, 0);
            let comes_about = self.builder.ins().uextend(WORD, comes_about);
            branch.map_or(comes_about, |weight| self.builder.ins().band(weight, comes_about))
        });
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

    /// Where an edge leads: out of the block's loop by a block that adds what the loop counted to memory, one for all edges to the
    /// same target.
    pub(super) fn leaving(&mut self, edge: Edge) -> Block {
        match self.left_loop(edge) {
            Some(index) => self.loop_border(LoopBorder::Exit(index, self.control_flow.edge(edge))),
            None => self.edge(edge),
        }
    }

    /// Where an edge to a block leads that enters a loop: a block in which the loop's counts become zero. They are not zero from the
    /// function's start on, or each loop before would hand them on.
    pub(super) fn entering(&mut self, to: BlockIndex) -> Option<Block> {
        let index = *self.counted_loops.of_block.get(&to)?;
        let is_inside = self.counted_loops.of_block.get(&self.block) == Some(&index);
        (!is_inside).then(|| self.loop_border(LoopBorder::Entry(index, to)))
    }

    /// The block on a border of a loop, which [`Self::count_outcomes`] fills.
    fn loop_border(&mut self, border: LoopBorder) -> Block {
        let CountedLoops { borders, new_borders, .. } = &mut self.counted_loops;
        *borders.entry(border).or_insert_with(|| {
            let block = self.builder.create_block();
            new_borders.push((block, border));
            block
        })
    }

    /// Fills a block on a border of a loop.
    fn cross(&mut self, border: LoopBorder) {
        let to = match border {
            LoopBorder::Entry(index, to) => {
                let zero = self.builder.ins().iconst(WORD, 0);
                for &(_, count) in &self.counted_loops.counts[index] {
                    let (variable, value) = match count {
                        LoopCount::Sum(variable) => (variable, zero),
                        LoopCount::Stride(stride, start) => {
                            (start, self.builder.use_var(self.registers[usize::from(stride.register)]))
                        }
                    };
                    self.builder.def_var(variable, value);
                }
                self.blocks[to]
            }
            LoopBorder::Exit(index, edge) => {
                for (counter, count) in self.counted_loops.counts[index].clone() {
                    let count = match count {
                        LoopCount::Sum(variable) => self.builder.use_var(variable),
                        LoopCount::Stride(stride, start) => self.runs(stride, start),
                    };
                    self.add(Some(counter), Some(count));
                }
                self.edge(edge)
            }
        };
        self.builder.ins().jump(to, &[]);
    }

    /// How often a block with a stride ran since its register was as this variable says.
    fn runs(&mut self, Stride { register, by, is_narrow, least }: Stride, start: Variable) -> Value {
        let before = self.builder.use_var(start);
        let now = self.builder.use_var(self.registers[usize::from(register)]);
        let (more, less) = if by < 0 { (before, now) } else { (now, before) };
        let change = self.builder.ins().isub(more, less);
        if is_narrow {
            let least = i64::from(least);
            let rest = self.builder.ins().iadd_imm_s(change, -least);
            let rest = self.builder.ins().ireduce(types::I32, rest);
            let rest = self.builder.ins().uextend(WORD, rest);
            return self.builder.ins().iadd_imm_s(rest, least);
        }
        match by.unsigned_abs().trailing_zeros() {
            0 => change,
            bits => self.builder.ins().ushr_imm_u(change, i64::from(bits)),
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

    /// Where an outcome of the block's branch leads: where it is counted, to a block of its own, which [`Self::count_outcomes`] fills.
    pub(super) fn outcome(&mut self, outcome: usize, edge: Edge) -> Block {
        let counter = self.counters.and_then(|counters| counters.outcomes.get(&(self.block, outcome)).copied());
        let to = self.leaving(edge);
        if counter.is_none() {
            return to;
        }
        let block = self.builder.create_block();
        if self.is_unlikely(outcome) {
            self.builder.set_cold_block(block);
        }
        self.counted_edges.push(CountedEdge { block, counter, to });
        block
    }

    /// Whether an outcome of the block's branch is that two numbers are equal: most are not.
    fn is_unlikely(&self, outcome: usize) -> bool {
        matches!(
            (self.at.insn, outcome),
            (Insn::Branch { cond: Cond::Eq, .. }, 0) | (Insn::Branch { cond: Cond::Ne, .. }, 1)
        )
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

    /// Fills the blocks on edges of the block's branch, and on borders of loops.
    pub(super) fn count_outcomes(&mut self) {
        for CountedEdge { block, counter, to } in std::mem::take(&mut self.counted_edges) {
            self.builder.switch_to_block(block);
            self.count(counter);
            self.builder.ins().jump(to, &[]);
        }
        while let Some((block, border)) = self.counted_loops.new_borders.pop() {
            self.builder.switch_to_block(block);
            self.cross(border);
        }
    }
}
