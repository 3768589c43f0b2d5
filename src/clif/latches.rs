//! A loop's branch back compares the number that the next round starts with, and hands that on.
//!
//! Cranelift's optimiser makes `i == n - k` of `i + k == n`, and makes `i + k` where it is used: both the old and the new
//! `i` live at the end of the loop, which costs a move, and a jump around it, in each round. Here the sum is put before
//! the branch, in a shape that the optimiser does not look through: a pair of words, of which the low one is taken.
//! There is no instruction for either.
//!
//! | branch, one of whose ways goes back to a block whose parameter `i` gets `i + k` on that way | becomes |
//! |---|---|
//! | on `i + k cond x` | on `next cond x` |
//! | on `i == n`, `i != n`, with a constant `n` | on `next == n + k`, `next != n + k` |
//! | on anything | hands on `next` in place of `i + k` |
//!
//! where `next` is `i + k`. `i` is a word, or the low half of one that `i + k` is zero-extended to; comparisons are of
//! words, or of low halves.
//!
//! Sound: `next` is the same number; and adding `k` to both sides keeps (in)equality, modulo the size of what is
//! compared. Where the low half is counted, so that `i + k` is modulo 2^32, only low halves are compared so. One pass over
//! the branches.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    Block, BlockArg, DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Type, Value, ValueDef,
    types,
};

use super::bytes::constant;

/// How many copies of a half are looked through.
const DEPTH: usize = 8;

/// A number that a branch hands on to where it goes back.
struct Step {
    /// The parameter that gets it.
    counter: Value,
    /// What it gets: `counter` + `by`.
    sum: Value,
    by: u64,
    /// The addition is of low halves.
    is_half: bool,
    /// The sum as the optimiser does not know it.
    next: Value,
}

/// Runs the pass.
pub(super) fn run(function: &mut Function) {
    let mut places: SecondaryMap<Block, usize> = SecondaryMap::new();
    let blocks: Vec<Block> = function.layout.blocks().collect();
    for (place, &block) in blocks.iter().enumerate() {
        places[block] = place;
    }
    for &block in &blocks {
        let Some(branch) = function.layout.last_inst(block) else { continue };
        let mut steps = steps(function, &places, block, branch);
        let location = function.srcloc(branch);
        let mut cursor = FuncCursor::new(function).at_inst(branch).with_srcloc(location);
        for step in &mut steps {
            let pair = cursor.ins().iconcat(step.sum, step.sum);
            step.next = cursor.ins().isplit(pair).0;
        }
        if !steps.is_empty() {
            compare(&mut cursor, branch, &steps);
            hand_on(&mut cursor.func.dfg, branch, &steps);
        }
    }
}

/// The sums that a branch hands on to blocks that are not behind it.
fn steps(function: &Function, places: &SecondaryMap<Block, usize>, block: Block, branch: Inst) -> Vec<Step> {
    let dfg = &function.dfg;
    let mut steps: Vec<Step> = Vec::new();
    let InstructionData::Brif { blocks, .. } = dfg.insts[branch] else { return steps };
    for call in blocks {
        let to = call.block(&dfg.value_lists);
        if places[to] > places[block] {
            continue;
        }
        for (&counter, argument) in dfg.block_params(to).iter().zip(call.args(&dfg.value_lists)) {
            let BlockArg::Value(sum) = argument else { continue };
            let sum = dfg.resolve_aliases(sum);
            if let Some((by, is_half)) = step(dfg, counter, sum)
                && steps.iter().all(|step| step.sum != sum)
            {
                steps.push(Step { counter, sum, by, is_half, next: sum });
            }
        }
    }
    steps
}

/// What a number is more than a counter, and whether that is so of low halves.
fn step(dfg: &DataFlowGraph, counter: Value, sum: Value) -> Option<(u64, bool)> {
    if dfg.value_type(sum) != types::I64 {
        return None;
    }
    let half = operand(dfg, sum, Opcode::Uextend);
    let ValueDef::Result(add, _) = dfg.value_def(half.unwrap_or(sum)) else { return None };
    let InstructionData::Binary { opcode: Opcode::Iadd, args: [from, by] } = dfg.insts[add] else { return None };
    let by = constant(dfg, by)?;
    let from = match half {
        Some(half) if dfg.value_type(half) == types::I32 => operand(dfg, from, Opcode::Ireduce)?,
        Some(_) => return None,
        None => dfg.resolve_aliases(from),
    };
    (from == counter).then_some((by, half.is_some()))
}

/// Lets the branch compare what is next, if it compares one of these.
fn compare(cursor: &mut FuncCursor<'_>, branch: Inst, steps: &[Step]) {
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
    let counter = || {
        let is_same = |step: &&Step| is_of(args[0], step.counter) && !(step.is_half && ty == types::I64);
        let step = steps.iter().find(is_same)?;
        let is_equality = matches!(cond, IntCC::Equal | IntCC::NotEqual);
        Some((step, constant(dfg, args[1]).filter(|_| is_equality)?))
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
    } else {
        return;
    };
    cursor.func.dfg.inst_args_mut(branch)[0] = condition;
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
    let InstructionData::Brif { blocks, .. } = dfg.insts[branch] else { return };
    for mut call in blocks {
        let next = |argument| match argument {
            BlockArg::Value(value) => {
                let value = dfg.resolve_aliases(value);
                steps.iter().find(|step| step.sum == value).map_or(argument, |step| step.next.into())
            }
            other => other,
        };
        let mut arguments: Vec<BlockArg> = call.args(&dfg.value_lists).map(next).collect();
        arguments.reverse();
        call.update_args(&mut dfg.value_lists, |old| arguments.pop().unwrap_or(old));
    }
}

/// The operand of the conversion that a value is the result of.
fn operand(dfg: &DataFlowGraph, value: Value, wanted: Opcode) -> Option<Value> {
    match dfg.value_def(dfg.resolve_aliases(value)) {
        ValueDef::Result(inst, _) => match dfg.insts[inst] {
            InstructionData::Unary { opcode, arg } if opcode == wanted => Some(dfg.resolve_aliases(arg)),
            _ => None,
        },
        _ => None,
    }
}
