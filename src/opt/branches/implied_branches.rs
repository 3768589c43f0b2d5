//! Implied branches: a branch whose outcome an earlier branch has decided becomes a jump.
//!
//! | on the way to the branch | the branch |
//! |---|---|
//! | `index > 20` was not so | `index < 21` is so: the check of a jump table behind that of the program |
//! | `index < length` was so, for constants | the same check again, as Rust's slices make it |
//!
//! In: a function. Out: the same with jumps in place of such branches, without blocks that nothing leads to any more. Known of a
//! number is what the branches say that all ways to the block go through, as an interval of unsigned numbers. They are looked for
//! from the block backwards, [`MAX_STEPS`] blocks far: through blocks with a single way in, and around an `if` with or without `else`
//! that is a block each, whose own branch says nothing. A number and its zero-extended or low half are the same where the high half is
//! surely 0.
//!
//! The check of BPF's division whether it divides by 0 goes where the program has asked. Behind an `if`, as in a choice of backends by
//! `hash % count`, that was a quarter of what the loop executed: with the branch, Cranelift computed the hash on both of its ways.
//!
//! Sound: SSA values do not change on the way, and the condition holds for each number of the interval, or for none. One pass.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::EntitySet;
use cranelift_codegen::flowgraph::ControlFlowGraph;
use cranelift_codegen::ir::condcodes::{CondCode, IntCC};
use cranelift_codegen::ir::{
    Block, BlockCall, DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Value, types,
};

use crate::opt::ir::edges::successors;
use crate::opt::ir::operands::{MAX_LOOK_THROUGH, binary_operands, constant, unary};
use crate::opt::ir::zero_extension::is_zero_extended;
use crate::opt::pass::PassContext;

/// How many blocks are gone back.
const MAX_STEPS: usize = 8;

/// A branch on a comparison of a number with a constant.
struct Test {
    branch: Inst,
    /// The condition on which the first edge is taken.
    condition: IntCC,
    number: Value,
    constant: u64,
    edges: [BlockCall; 2],
}

/// The least and the greatest that a number may be.
#[derive(Clone, Copy)]
struct Interval {
    least: u64,
    greatest: u64,
}

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let analyses = &mut context.analyses;
    let graph = analyses.graph(function);
    let decided = |block| decided(function, graph, block);
    let found: Vec<(Test, usize)> = function.layout.blocks().filter_map(decided).collect();
    if found.is_empty() {
        return;
    }
    for (test, taken) in found {
        let edge = &test.edges[taken];
        let pool = &function.dfg.value_lists;
        let (to, arguments) = (edge.block(pool), edge.args(pool).collect::<Vec<_>>());
        let location = function.srcloc(test.branch);
        FuncCursor::new(function).at_inst(test.branch).with_srcloc(location).ins().jump(to, &arguments);
        function.layout.remove_inst(test.branch);
    }
    remove_unreachable(function);
    analyses.changed();
}

/// The test at a block's end, and the edge that is surely taken.
fn decided(function: &Function, graph: &ControlFlowGraph, block: Block) -> Option<(Test, usize)> {
    let dfg = &function.dfg;
    let asked = test(function, block)?;
    let number = same_number(dfg, asked.number);
    let mut known = None;
    let mut at = block;
    for _ in 0..MAX_STEPS {
        let Some((from, is_only_way)) = dominating(graph, at).filter(|&(from, _)| from != block) else { break };
        let earlier = test(function, from).filter(|test| is_only_way && same_number(dfg, test.number) == number);
        if let Some(earlier) = earlier {
            let [first, second] = earlier.edges.map(|edge| edge.block(&dfg.value_lists));
            // Where both edges lead to one block, nothing is known there.
            let condition = match (first == at, second == at) {
                (true, false) => Some(earlier.condition),
                (false, true) => Some(earlier.condition.complement()),
                _ => None,
            };
            if let Some(condition) = condition {
                let interval = known.unwrap_or_else(|| Interval::of(dfg, number));
                known = Some(interval.with(condition, earlier.constant)?);
            }
        }
        at = from;
    }
    let outcome = known?.holds(asked.condition, asked.constant)?;
    Some((asked, usize::from(!outcome)))
}

/// A block that all ways to another go through, and whether it is the only predecessor.
fn dominating(graph: &ControlFlowGraph, block: Block) -> Option<(Block, bool)> {
    let only = |block| {
        let mut predecessors = graph.pred_iter(block).map(|edge| edge.block);
        predecessors.next().filter(|_| predecessors.next().is_none())
    };
    if let Some(from) = only(block) {
        return Some((from, true));
    }
    let mut predecessors = graph.pred_iter(block).map(|edge| edge.block);
    let (Some(one), Some(other), None) = (predecessors.next(), predecessors.next(), predecessors.next()) else {
        return None;
    };
    // Around one block, or between two.
    let from = match (only(one), only(other)) {
        (_, Some(from)) if from == one => one,
        (Some(from), _) if from == other => other,
        (Some(from), Some(same)) if from == same => from,
        _ => return None,
    };
    Some((from, false))
}

/// The test that a block ends with, if its condition is one of unsigned numbers.
fn test(function: &Function, block: Block) -> Option<Test> {
    let dfg = &function.dfg;
    let branch = function.layout.last_inst(block)?;
    let InstructionData::Brif { arg, blocks, .. } = dfg.insts[branch] else { return None };
    let comparison = dfg.value_def(arg).inst()?;
    let InstructionData::IntCompare { cond, args, .. } = dfg.insts[comparison] else { return None };
    let is_unsigned = matches!(cond, IntCC::Equal | IntCC::NotEqual) || cond == cond.unsigned();
    let [left, right] = args;
    let ty = dfg.value_type(left);
    if !is_unsigned || !matches!(ty, types::I32 | types::I64) {
        return None;
    }
    let mask = u64::MAX >> (64 - ty.bits());
    let (condition, number, constant) = match (constant(dfg, left), constant(dfg, right)) {
        (None, Some(constant)) => (cond, left, constant),
        (Some(constant), None) => (cond.swap_args(), right, constant),
        _ => return None,
    };
    Some(Test { branch, condition, number, constant: constant & mask, edges: blocks })
}

/// The value that a number was made from without another one coming of it.
fn same_number(dfg: &DataFlowGraph, value: Value) -> Value {
    let mut value = dfg.resolve_aliases(value);
    for _ in 0..MAX_LOOK_THROUGH {
        let from = match unary(dfg, value) {
            Some((Opcode::Uextend, from)) => Some(from),
            Some((Opcode::Ireduce, from)) if dfg.value_type(value) == types::I32 => {
                Some(from).filter(|&from| is_zero_extended(dfg, from))
            }
            _ => rotated_back(dfg, value).filter(|&from| is_zero_extended(dfg, from)),
        };
        match from {
            Some(from) => value = dfg.resolve_aliases(from),
            None => break,
        }
    }
    value
}

/// What is shifted to the left and rotated back by as much, which is at most 32 bits.
fn rotated_back(dfg: &DataFlowGraph, value: Value) -> Option<Value> {
    let [shifted, back] = binary_operands(dfg, value, Opcode::Rotr)?;
    let [from, bits] = binary_operands(dfg, shifted, Opcode::Ishl)?;
    let (bits, back) = (constant(dfg, bits)?, constant(dfg, back)?);
    (bits == back && bits <= 32 && dfg.value_type(from) == types::I64).then_some(from)
}

impl Interval {
    /// What a value may be by what defines it.
    fn of(dfg: &DataFlowGraph, value: Value) -> Interval {
        let bits = match dfg.value_def(value).inst().map(|inst| dfg.insts[inst].opcode()) {
            Some(Opcode::Uload8) => 8,
            Some(Opcode::Uload16) => 16,
            Some(Opcode::Uload32) => 32,
            _ => dfg.value_type(value).bits(),
        };
        Interval { least: 0, greatest: u64::MAX >> (64 - bits.clamp(1, 64)) }
    }

    /// What is left where a condition holds; none if nothing is.
    fn with(self, condition: IntCC, constant: u64) -> Option<Interval> {
        let Interval { mut least, mut greatest } = self;
        match condition {
            IntCC::Equal => (least, greatest) = (least.max(constant), greatest.min(constant)),
            IntCC::NotEqual if least == constant => least = least.checked_add(1)?,
            IntCC::NotEqual if greatest == constant => greatest = greatest.checked_sub(1)?,
            IntCC::UnsignedLessThan => greatest = greatest.min(constant.checked_sub(1)?),
            IntCC::UnsignedLessThanOrEqual => greatest = greatest.min(constant),
            IntCC::UnsignedGreaterThan => least = least.max(constant.checked_add(1)?),
            IntCC::UnsignedGreaterThanOrEqual => least = least.max(constant),
            _ => {}
        }
        (least <= greatest).then_some(Interval { least, greatest })
    }

    /// Whether a condition holds for all numbers, or for none.
    fn holds(self, condition: IntCC, constant: u64) -> Option<bool> {
        match (self.with(condition, constant), self.with(condition.complement(), constant)) {
            (Some(_), None) => Some(true),
            (None, Some(_)) => Some(false),
            _ => None,
        }
    }
}

/// Removes the blocks that nothing leads to.
fn remove_unreachable(function: &mut Function) {
    let mut reached: EntitySet<Block> = EntitySet::new();
    let mut open: Vec<Block> = function.layout.entry_block().into_iter().collect();
    while let Some(block) = open.pop() {
        if reached.insert(block)
            && let Some(last) = function.layout.last_inst(block)
        {
            open.extend(successors(function, last));
        }
    }
    let gone: Vec<Block> = function.layout.blocks().filter(|&block| !reached.contains(block)).collect();
    for block in gone {
        while let Some(inst) = function.layout.first_inst(block) {
            function.layout.remove_inst(inst);
        }
        function.layout.remove_block(block);
    }
}
