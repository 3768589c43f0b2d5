//! A loop's branch back compares the number that the next round starts with, and hands that on.
//!
//! Cranelift's optimiser makes `i == n - k` of `i + k == n`, and makes `i + k` where it is used: both the old and the new
//! `i` live at the end of the loop, which costs a move, and a jump around it, in each round. Here the sum is put before
//! the branch, in a shape that the optimiser does not look through: a pair of words, of which the low one is taken.
//! There is no instruction for either.
//!
//! | branch, one of whose ways goes back and hands on `i + k`, with a constant `k` | becomes |
//! |---|---|
//! | on `i + k cond x` | on `next cond x` |
//! | on `i == n`, `i != n`, with a constant `n` | on `next == n + k`, `next != n + k` |
//! | stays in the loop if `i < n`, unsigned, or `i <= n` (leaves it if not) | `next < n + k`, `next <= n + k` |
//! | on any other order of `i` | on the same order of `next - k` |
//! | on anything | hands on `next` in place of `i + k` |
//!
//! where `next` is `i + k`. `i` is a word, or the low half of one that `i + k` is zero-extended to; comparisons are of
//! words, or of low halves. In the third row it is a word, and each round starts with a constant, or with `next` over this
//! way of this branch; all numbers are below [`FAR`].
//!
//! Sound: `next` is the same number; and adding `k` to both sides keeps (in)equality, modulo the size of what is
//! compared. Where the low half is counted, so that `i + k` is modulo 2^32, only low halves are compared so. It keeps an
//! order if neither sum wraps: by induction over the rounds, `i` is a start, or was let through by this branch, so at most
//! `n + k`. One pass over the branches.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::dominator_tree::DominatorTree;
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::flowgraph::ControlFlowGraph;
use cranelift_codegen::ir::condcodes::{CondCode, IntCC};
use cranelift_codegen::ir::{
    Block, BlockArg, DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Type, Value, ValueDef,
    types,
};

use crate::opt::ir::analyses::Known;
use crate::opt::ir::memory_accesses::{each_operand, operand};
use crate::opt::memory::byte_provenance::constant;
use crate::opt::pass::PassContext;

/// How many copies of a half are looked through.
const DEPTH: usize = 8;

/// A number that a branch hands on to where it goes back.
struct Step {
    /// What is counted.
    counter: Value,
    /// What is handed on: `counter` + `by`.
    sum: Value,
    by: u64,
    /// The addition is of low halves.
    is_half: bool,
    /// Which way of the branch goes back.
    way: usize,
    /// The sum as the optimiser does not know it.
    next: Value,
}

/// Where numbers are far from wrapping.
const FAR: u64 = 1 << 40;

/// Loops of more ways in are not looked at.
const WAYS_IN: usize = 8;

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let flow = &mut context.analyses;
    let mut places: SecondaryMap<Block, usize> = SecondaryMap::new();
    let blocks: Vec<Block> = function.layout.blocks().collect();
    blocks.iter().enumerate().for_each(|(place, &block)| places[block] = place);
    // Blocks and edges stay as they are here.
    let Known { graph, dominators, .. } = flow.known(function);
    let mut pinned: SecondaryMap<Value, Option<(Block, Value)>> = SecondaryMap::new();
    for &block in &blocks {
        let Some(branch) = function.layout.last_inst(block) else { continue };
        // To a block that is on the way to this one, or at least not behind it where no block is on the way round.
        let goes_back = |to: Block| places[to] <= places[block] || dominators.block_dominates(to, block);
        let mut steps = steps(function, branch, goes_back);
        if steps.is_empty() {
            continue;
        }
        let location = function.srcloc(branch);
        let mut cursor = FuncCursor::new(function).at_inst(branch).with_srcloc(location);
        for step in &mut steps {
            let pair = cursor.ins().iconcat(step.sum, step.sum);
            step.next = cursor.ins().isplit(pair).0;
            pinned[step.sum].get_or_insert((block, step.next));
        }
        compare(&mut cursor, branch, &steps, graph);
        hand_on(&mut cursor.func.dfg, branch, &steps);
    }
    rename(function, dominators, &pinned);
}

/// Lets what comes after a branch use what it handed on, so that what was counted is not wanted any more.
fn rename(
    function: &mut Function,
    dominators: &DominatorTree,
    pinned: &SecondaryMap<Value, Option<(Block, Value)>>,
) {
    if pinned.values().all(Option::is_none) {
        return;
    }
    let (dfg, layout) = (&mut function.stencil.dfg, &function.stencil.layout);
    for block in layout.blocks() {
        for inst in layout.block_insts(block) {
            let next = |value: Value, aliases: &DataFlowGraph| {
                let (branch, next) = pinned[aliases.resolve_aliases(value)]?;
                (branch != block && dominators.block_dominates(branch, block)).then_some(next)
            };
            let mut is_renamed = false;
            each_operand(dfg, inst, |value| is_renamed |= next(value, dfg).is_some());
            if is_renamed {
                let renamed: Vec<Value> =
                    dfg.inst_values(inst).map(|value| next(value, dfg).unwrap_or(value)).collect();
                dfg.overwrite_inst_values(inst, renamed.into_iter());
            }
        }
    }
}

/// The sums that a branch hands on where it goes back.
fn steps(function: &Function, branch: Inst, goes_back: impl Fn(Block) -> bool) -> Vec<Step> {
    let dfg = &function.dfg;
    let mut steps: Vec<Step> = Vec::new();
    let InstructionData::Brif { blocks, .. } = dfg.insts[branch] else { return steps };
    for (way, call) in blocks.iter().enumerate() {
        if !goes_back(call.block(&dfg.value_lists)) {
            continue;
        }
        for argument in call.args(&dfg.value_lists) {
            let BlockArg::Value(sum) = argument else { continue };
            let sum = dfg.resolve_aliases(sum);
            if steps.iter().all(|step| step.sum != sum)
                && let Some((counter, by, is_half)) = step(dfg, sum)
            {
                steps.push(Step { counter, sum, by, is_half, way, next: sum });
            }
        }
    }
    steps
}

/// What a number is the sum of: a word, a constant, and whether it is the sum of their low halves.
fn step(dfg: &DataFlowGraph, sum: Value) -> Option<(Value, u64, bool)> {
    if dfg.value_type(sum) != types::I64 {
        return None;
    }
    let half = operand(dfg, sum, Opcode::Uextend);
    let ValueDef::Result(add, _) = dfg.value_def(half.unwrap_or(sum)) else { return None };
    let InstructionData::Binary { opcode: Opcode::Iadd, args: [from, by] } = dfg.insts[add] else { return None };
    let by = constant(dfg, by)?;
    match half {
        Some(half) if dfg.value_type(half) == types::I32 => Some((operand(dfg, from, Opcode::Ireduce)?, by, true)),
        Some(_) => None,
        None => Some((dfg.resolve_aliases(from), by, false)),
    }
}

/// Lets the branch compare what is next, if it compares one of these.
fn compare(cursor: &mut FuncCursor<'_>, branch: Inst, steps: &[Step], graph: &ControlFlowGraph) {
    let dfg = &cursor.func.dfg;
    let InstructionData::Brif { arg, .. } = dfg.insts[branch] else { return };
    let ValueDef::Result(compare, _) = dfg.value_def(dfg.resolve_aliases(arg)) else { return };
    let InstructionData::IntCompare { cond, args, .. } = dfg.insts[compare] else { return };
    let args = args.map(|arg| dfg.resolve_aliases(arg));
    let ty = dfg.value_type(args[0]);
    if !matches!(ty, types::I32 | types::I64) {
        return;
    }
    let is_of = |value: Value, word: Value| {
        if ty == types::I64 { value == word } else { is_low_of(dfg, value, word) }
    };
    let sum = (0..2).find_map(|side| Some((side, steps.iter().find(|step| is_of(args[side], step.sum))?)));
    let is_counter = |value, step: &&Step| is_of(value, step.counter) && !(step.is_half && ty == types::I64);
    let before = (0..2).find_map(|side| Some((side, steps.iter().find(|step| is_counter(args[side], step))?)));
    let counter = || {
        let step = steps.iter().find(|step| is_counter(args[0], step))?;
        let end = constant(dfg, args[1])?;
        let keeps = match cond {
            IntCC::Equal | IntCC::NotEqual => true,
            _ => ty == types::I64 && is_bounded(dfg, branch, step, cond, end, graph),
        };
        keeps.then_some((step, end))
    };
    let condition = if let Some((side, step)) = sum {
        let mut sides = args;
        sides[side] = low(cursor, step.next, ty);
        cursor.ins().icmp(cond, sides[0], sides[1])
    } else if let Some((step, end)) = counter() {
        let end = end.wrapping_add(step.by);
        let end = if ty == types::I32 { u64::from(end as u32) } else { end };
        let next = low(cursor, step.next, ty);
        let end = cursor.ins().iconst(ty, end as i64);
        cursor.ins().icmp(cond, next, end)
    } else if let Some((side, step)) = before {
        let next = low(cursor, step.next, ty);
        let back = step.by.wrapping_neg();
        let back = if ty == types::I32 { u64::from(back as u32) } else { back };
        let back = cursor.ins().iconst(ty, back as i64);
        let mut sides = args;
        sides[side] = cursor.ins().iadd(next, back);
        cursor.ins().icmp(cond, sides[0], sides[1])
    } else {
        return;
    };
    cursor.func.dfg.inst_args_mut(branch)[0] = condition;
}

/// Whether the branch lets through what is below a constant only, and each round starts with a constant or with that.
fn is_bounded(
    dfg: &DataFlowGraph,
    branch: Inst,
    step: &Step,
    cond: IntCC,
    end: u64,
    graph: &ControlFlowGraph,
) -> bool {
    let stays = if step.way == 0 { cond } else { cond.complement() };
    if !matches!(stays, IntCC::UnsignedLessThan | IntCC::UnsignedLessThanOrEqual) || end >= FAR || step.by >= FAR {
        return false;
    }
    let ValueDef::Param(header, index) = dfg.value_def(step.counter) else { return false };
    graph.pred_iter(header).nth(WAYS_IN).is_none()
        && graph.pred_iter(header).map(|way| way.inst).all(|way| {
            let calls = dfg.insts[way].branch_destination(&dfg.jump_tables, &dfg.exception_tables);
            calls.iter().enumerate().filter(|(_, call)| call.block(&dfg.value_lists) == header).all(
                |(edge, call)| {
                    let Some(BlockArg::Value(value)) = call.args(&dfg.value_lists).nth(index) else { return false };
                    let is_next = way == branch && edge == step.way && dfg.resolve_aliases(value) == step.sum;
                    is_next || constant(dfg, value).is_some_and(|start| start < FAR)
                },
            )
        })
}

/// Whether a half is the low one of a word.
fn is_low_of(dfg: &DataFlowGraph, mut half: Value, word: Value) -> bool {
    for _ in 0..DEPTH {
        if operand(dfg, word, Opcode::Uextend) == Some(half) {
            return true;
        }
        match operand(dfg, half, Opcode::Ireduce) {
            Some(from) if from == word => return true,
            // BPF's `w2 = w1` makes a word of a half.
            Some(from) => match operand(dfg, from, Opcode::Uextend) {
                Some(inner) if dfg.value_type(inner) == types::I32 => half = inner,
                _ => return false,
            },
            None => return false,
        }
    }
    false
}

/// The low part of a word.
fn low(cursor: &mut FuncCursor<'_>, word: Value, ty: Type) -> Value {
    if ty == types::I64 { word } else { cursor.ins().ireduce(ty, word) }
}

/// Lets the branch hand on what is next.
fn hand_on(dfg: &mut DataFlowGraph, branch: Inst, steps: &[Step]) {
    let next = |value: Value| {
        let sum = dfg.resolve_aliases(value);
        steps.iter().find(|step| step.sum == sum).map_or(value, |step| step.next)
    };
    let values: Vec<Value> = dfg.inst_values(branch).map(next).collect();
    dfg.overwrite_inst_values(branch, values.into_iter());
}
