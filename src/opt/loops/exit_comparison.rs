//! Rewriting an exit test to compare the counter's next value ([`crate::opt::loops::post_increment`]).
//!
//! In: a branch, and the increments that its back edge passes. Out: the branch on a comparison of the next value. Which
//! comparisons, and why that is sound, is in `post_increment.rs`.

use cranelift_codegen::cursor::FuncCursor;
use cranelift_codegen::flowgraph::ControlFlowGraph;
use cranelift_codegen::ir::condcodes::{CondCode, IntCC};
use cranelift_codegen::ir::{
    BlockArg, DataFlowGraph, Inst, InstBuilder, InstructionData, Opcode, Type, Value, ValueDef, types,
};

use super::induction;
use crate::opt::ir::operands::{constant, unary_operand};

/// How many zero-extended copies of a 32-bit value are looked through.
const MAX_LOW_COPIES: usize = 8;

/// The sum of two numbers below this does not wrap, by far.
const NO_WRAP: u64 = 1 << 40;

/// Loops whose header has more incoming edges are not looked at.
const MAX_HEADER_PREDECESSORS: usize = 8;

/// An incremented counter that a back edge passes.
pub(crate) struct Increment {
    /// The counter.
    pub(crate) counter: Value,
    /// What is passed: `counter` + `by`.
    pub(crate) sum: Value,
    pub(crate) by: u64,
    /// Whether the addition is of the low 32 bits.
    pub(crate) is_32_bits: bool,
    /// Which edge of the branch is the back edge.
    pub(crate) edge: usize,
    /// An opaque copy of the sum.
    pub(crate) next: Value,
}

/// Makes a branch compare the value of the next iteration, if it compares an incremented counter or its sum.
pub(crate) fn compare_next(
    cursor: &mut FuncCursor<'_>,
    branch: Inst,
    increments: &[Increment],
    graph: &ControlFlowGraph,
) {
    let dfg = &cursor.func.dfg;
    let InstructionData::Brif { arg, .. } = dfg.insts[branch] else { return };
    let ValueDef::Result(compare, _) = dfg.value_def(dfg.resolve_aliases(arg)) else { return };
    let InstructionData::IntCompare { cond, args, .. } = dfg.insts[compare] else { return };
    let args = args.map(|arg| dfg.resolve_aliases(arg));
    let ty = dfg.value_type(args[0]);
    if !matches!(ty, types::I32 | types::I64) {
        return;
    }
    let is_of = |value: Value, wide: Value| {
        if ty == dfg.value_type(wide) { value == wide } else { ty == types::I32 && is_low_of(dfg, value, wide) }
    };
    let sum =
        (0..2).find_map(|side| Some((side, increments.iter().find(|increment| is_of(args[side], increment.sum))?)));
    // A side as a counter, and what is added to it.
    let of_counter = |side: usize| {
        increments.iter().filter(|increment| !(increment.is_32_bits && ty == types::I64)).find_map(|increment| {
            if is_of(args[side], increment.counter) {
                return Some((increment, 0));
            }
            let (root, more) = induction::linear(dfg, args[side]);
            is_of(dfg.resolve_aliases(root), increment.counter).then_some((increment, more as u64))
        })
    };
    let before = (0..2).find_map(|side| Some((side, of_counter(side)?)));
    let counter = || {
        let (0, (increment, more)) = before? else { return None };
        let end = constant(dfg, args[1])?;
        let keeps = match cond {
            IntCC::Equal | IntCC::NotEqual => true,
            _ => more == 0 && ty == types::I64 && is_bounded(dfg, branch, increment, cond, end, graph),
        };
        keeps.then_some((increment, end.wrapping_sub(more)))
    };
    let condition = if let Some((side, increment)) = sum {
        let mut sides = args;
        sides[side] = low(cursor, increment.next, ty);
        cursor.ins().icmp(cond, sides[0], sides[1])
    } else if let Some((increment, end)) = counter() {
        let end = end.wrapping_add(increment.by);
        let end = if ty == types::I32 { u64::from(end as u32) } else { end };
        let next = low(cursor, increment.next, ty);
        let end = cursor.ins().iconst(ty, end as i64);
        cursor.ins().icmp(cond, next, end)
    } else if let Some((side, (increment, more))) = before {
        let next = low(cursor, increment.next, ty);
        let back = more.wrapping_sub(increment.by);
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

/// Whether the branch stays in the loop only below a constant, and each iteration starts with a constant or with the sum.
fn is_bounded(
    dfg: &DataFlowGraph,
    branch: Inst,
    increment: &Increment,
    cond: IntCC,
    end: u64,
    graph: &ControlFlowGraph,
) -> bool {
    let stays = if increment.edge == 0 { cond } else { cond.complement() };
    if !matches!(stays, IntCC::UnsignedLessThan | IntCC::UnsignedLessThanOrEqual)
        || end >= NO_WRAP
        || increment.by >= NO_WRAP
    {
        return false;
    }
    let ValueDef::Param(header, index) = dfg.value_def(increment.counter) else { return false };
    graph.pred_iter(header).nth(MAX_HEADER_PREDECESSORS).is_none()
        && graph.pred_iter(header).map(|edge| edge.inst).all(|inst| {
            let calls = dfg.insts[inst].branch_destination(&dfg.jump_tables, &dfg.exception_tables);
            calls.iter().enumerate().filter(|(_, call)| call.block(&dfg.value_lists) == header).all(
                |(edge, call)| {
                    let Some(BlockArg::Value(value)) = call.args(&dfg.value_lists).nth(index) else { return false };
                    let is_next =
                        inst == branch && edge == increment.edge && dfg.resolve_aliases(value) == increment.sum;
                    is_next || constant(dfg, value).is_some_and(|start| start < NO_WRAP)
                },
            )
        })
}

/// Whether a value is the low 32 bits of another.
fn is_low_of(dfg: &DataFlowGraph, mut low: Value, wide: Value) -> bool {
    for _ in 0..MAX_LOW_COPIES {
        if unary_operand(dfg, wide, Opcode::Uextend) == Some(low) {
            return true;
        }
        match unary_operand(dfg, low, Opcode::Ireduce) {
            Some(from) if from == wide => return true,
            // BPF's `w2 = w1` zero-extends the low half.
            Some(from) => match unary_operand(dfg, from, Opcode::Uextend) {
                Some(inner) if dfg.value_type(inner) == types::I32 => low = inner,
                _ => return false,
            },
            None => return false,
        }
    }
    false
}

/// A value, or its low bits.
fn low(cursor: &mut FuncCursor<'_>, value: Value, ty: Type) -> Value {
    if ty == cursor.func.dfg.value_type(value) { value } else { cursor.ins().ireduce(ty, value) }
}
