//! The exits of counted loops compare the number that the next round starts with.
//!
//! A loop of the form `do { ... } while ((i += k) != n)` with constants `k` and `n` compares the sum. Cranelift's
//! optimiser makes `i != n - k` of it, so that both the old and the new `i` live at the end of the loop: a move and an
//! addition more in each round. It leaves comparisons by order alone.
//!
//! | where each round starts with a constant below `n`, or with `i + k` right after this branch | becomes |
//! |---|---|
//! | stays in the loop if `i + k != n` (leaves it if `i + k == n`) | if `i + k < n`, unsigned |
//!
//! "Right after" is over the branch's edge, or over blocks that each have no other way in than from the last one. The
//! numbers are words, or the low halves of words that are such numbers, zero-extended.
//!
//! Sound: `n` less any start is a multiple of `k`, and more than 0. By induction over the rounds `i` is a start plus
//! a multiple of `k`, and below `n`: the first time by the start, later since this branch saw that `i + k`, which is
//! at most `n`, is not `n`. So `i + k` is `n` or below it, and the two comparisons are the same. One pass.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    Block, BlockArg, DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Value, ValueDef, types,
};

use super::bytes::constant;

/// Loops of more ways in are left alone.
const WAYS_IN: usize = 8;

/// How many blocks lie between the branch and the next round at most.
const HOPS: usize = 8;

/// Runs the pass.
pub(super) fn run(function: &mut Function) {
    // The branches that lead to each block.
    let mut ways: SecondaryMap<Block, Vec<Inst>> = SecondaryMap::new();
    let mut branches = Vec::new();
    for block in function.layout.blocks() {
        let Some(last) = function.layout.last_inst(block) else { continue };
        let dfg = &function.dfg;
        for call in dfg.insts[last].branch_destination(&dfg.jump_tables, &dfg.exception_tables) {
            ways[call.block(&dfg.value_lists)].push(last);
        }
        if dfg.insts[last].opcode() == Opcode::Brif {
            branches.push(last);
        }
    }
    for branch in branches {
        let Some((compare, stays)) = counted(function, &ways, branch) else { continue };
        let InstructionData::IntCompare { args, .. } = function.dfg.insts[compare] else { continue };
        let code = if stays { IntCC::UnsignedLessThan } else { IntCC::UnsignedGreaterThanOrEqual };
        // The old one may have other uses.
        let location = function.srcloc(branch);
        let mut cursor = FuncCursor::new(function).at_inst(branch).with_srcloc(location);
        let condition = cursor.ins().icmp(code, args[0], args[1]);
        function.dfg.inst_args_mut(branch)[0] = condition;
    }
}

/// The comparison of a branch that closes a counted loop, and whether the loop goes on where it holds.
fn counted(function: &Function, ways: &SecondaryMap<Block, Vec<Inst>>, branch: Inst) -> Option<(Inst, bool)> {
    let dfg = &function.dfg;
    let InstructionData::Brif { arg, blocks, .. } = dfg.insts[branch] else { return None };
    let ValueDef::Result(compare, _) = dfg.value_def(dfg.resolve_aliases(arg)) else { return None };
    let InstructionData::IntCompare { cond, args: [sum, end], .. } = dfg.insts[compare] else { return None };
    let goes_on_if_true = match cond {
        IntCC::NotEqual => true,
        IntCC::Equal => false,
        _ => return None,
    };
    let end = constant(dfg, end)?;
    let sum = dfg.resolve_aliases(sum);
    let is_half = dfg.value_type(sum) == types::I32;
    let ValueDef::Result(add, _) = dfg.value_def(sum) else { return None };
    let InstructionData::Binary { opcode: Opcode::Iadd, args: [counter, step] } = dfg.insts[add] else {
        return None;
    };
    let step = constant(dfg, step)?;
    let counter = if is_half { operand(dfg, counter, Opcode::Ireduce)? } else { dfg.resolve_aliases(counter) };
    let ValueDef::Param(header, index) = dfg.value_def(counter) else { return None };
    if dfg.value_type(counter) != types::I64 {
        return None;
    }
    let [goes_on, leaves] =
        if goes_on_if_true { [0, 1] } else { [1, 0] }.map(|at| blocks[at].block(&dfg.value_lists));
    if goes_on == leaves || step == 0 || ways[header].len() > WAYS_IN {
        return None;
    }
    for &way in &ways[header] {
        let mut calls = dfg.insts[way].branch_destination(&dfg.jump_tables, &dfg.exception_tables).iter();
        let fits = calls.all(|call| {
            if call.block(&dfg.value_lists) != header {
                return true;
            }
            let Some(BlockArg::Value(value)) = call.args(&dfg.value_lists).nth(index) else { return false };
            let word =
                if is_half { operand(dfg, value, Opcode::Uextend) } else { Some(dfg.resolve_aliases(value)) };
            if word == Some(sum) {
                return if way == branch {
                    goes_on == header
                } else {
                    comes_from(function, ways, way, branch, goes_on)
                };
            }
            constant(dfg, value).is_some_and(|start| start < end && (end - start).is_multiple_of(step))
        });
        if !fits {
            return None;
        }
    }
    Some((compare, goes_on_if_true))
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

/// Whether control that reaches `way` has just gone from `branch` to `to`.
fn comes_from(
    function: &Function,
    ways: &SecondaryMap<Block, Vec<Inst>>,
    way: Inst,
    branch: Inst,
    to: Block,
) -> bool {
    let mut way = way;
    for _ in 0..HOPS {
        let Some(block) = function.layout.inst_block(way) else { return false };
        let &[from] = &ways[block][..] else { return false };
        if from == branch {
            return block == to;
        }
        way = from;
    }
    false
}
