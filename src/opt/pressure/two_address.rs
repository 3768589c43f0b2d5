//! Keeps additions where the target has a three-operand addition only (x86-64).
//!
//! x86-64 adds into a third register (`lea`), but subtracts and shifts in place, which needs a copy if the operand is used
//! again. Cranelift's optimiser turns additions into subtractions and shifts wherever it can. An opaque operand
//! (`ir/opaque.rs`) prevents that.
//!
//! | value | |
//! |---|---|
//! | a negation outside a loop that adds its result | the addition uses an opaque copy |
//! | `x << 1`, where `x` has other uses | `x + x`, one of them opaque |
//! | a product with 3, 5 or 9 | `x + (x << 1)` and so on: an addition that shifts takes a third of the time |
//! | `x << 1`, used by additions and accesses, which shift at no cost, or by `\|`, which may become a rotate | left |
//!
//! In: a function, and the loops that its blocks are in. Out: the same with such operands. Sound: each is the same number.
//! Two passes over the instructions at most.

use std::collections::HashMap;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::EntitySet;
use cranelift_codegen::ir::{
    DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Type, Value, types,
};
use cranelift_codegen::loop_analysis::LoopAnalysis;

use crate::opt::ir::insts::insts;
use crate::opt::ir::opaque::opaque_low;
use crate::opt::ir::operands::{
    MAX_LOOK_THROUGH, constant, each_operand, iconst, replace_inst, unary_operand, unconverted_inst,
};
use crate::opt::ir::uses::use_counts;

/// The additions in loops of what is negated outside the loop: each with the index of that operand.
pub(crate) fn negated_addends(function: &Function, loops: &LoopAnalysis) -> Vec<(Inst, usize)> {
    let dfg = &function.dfg;
    let mut found = Vec::new();
    for block in function.layout.blocks() {
        let Some(inner) = loops.innermost_loop(block) else { continue };
        for inst in function.layout.block_insts(block) {
            let InstructionData::Binary { opcode: Opcode::Iadd, args } = dfg.insts[inst] else { continue };
            let negated = args.iter().position(|&value| {
                let home = negation(dfg, value).and_then(|from| function.layout.inst_block(from));
                home.is_some_and(|home| !loops.is_in_loop(home, inner))
            });
            found.extend(negated.map(|operand| (inst, operand)));
        }
    }
    found
}

/// The 64-bit negation that a value is, or is the low 32 bits of.
fn negation(dfg: &DataFlowGraph, value: Value) -> Option<Inst> {
    let is_64_bits = |value: Value| dfg.value_type(value) == types::I64;
    let inst = match is_64_bits(value) {
        true => dfg.value_def(dfg.resolve_aliases(value)).inst()?,
        // Reductions and extensions of the low 32 bits: no type in between is narrower.
        false if dfg.value_type(value) == types::I32 => unconverted_inst(dfg, value)?,
        false => return None,
    };
    (dfg.insts[inst].opcode() == Opcode::Ineg && is_64_bits(dfg.first_result(inst))).then_some(inst)
}

/// Makes additions use opaque copies of negations.
pub(crate) fn hide_negations(function: &mut Function, negated: &[(Inst, usize)]) {
    let mut copies: HashMap<(Inst, Type), Value> = HashMap::new();
    for &(inst, operand) in negated {
        let value = function.dfg.inst_args(inst)[operand];
        let Some(from) = negation(&function.dfg, value) else { continue };
        let ty = function.dfg.value_type(value);
        let value = *copies.entry((from, ty)).or_insert_with(|| {
            let negated = function.dfg.first_result(from);
            let location = function.srcloc(from);
            let mut cursor = FuncCursor::new(function).after_inst(from).with_srcloc(location);
            opaque_low(&mut cursor, negated, ty)
        });
        function.dfg.inst_args_mut(inst)[operand] = value;
    }
}

/// Replaces shifts by one by additions where the operand has other uses; `shifts` are all of a function.
pub(crate) fn add_doubled(function: &mut Function, shifts: &[(Inst, Value)]) {
    if shifts.is_empty() {
        return;
    }
    let counts = use_counts(function);
    let shifted_for_free = shifted_for_free(function);
    for &(inst, value) in shifts {
        let dfg = &function.dfg;
        let ty = dfg.value_type(value);
        let Some((original, is_reused)) = original(dfg, value, |value| counts[value] > 1) else { continue };
        if shifted_for_free.contains(dfg.first_result(inst)) || !is_reused {
            continue;
        }
        let location = function.srcloc(inst);
        let mut cursor = FuncCursor::new(function).at_inst(inst).with_srcloc(location);
        let copy = opaque_low(&mut cursor, original, ty);
        let sum = cursor.ins().iadd(value, copy);
        replace_inst(function, inst, sum);
    }
}

/// The values that instructions use which shift an operand at no cost, or which may become a rotate with it.
fn shifted_for_free(function: &Function) -> EntitySet<Value> {
    let dfg = &function.dfg;
    let mut found: EntitySet<Value> = EntitySet::with_capacity(dfg.num_values());
    for inst in insts(function) {
        let opcode = dfg.insts[inst].opcode();
        if matches!(opcode, Opcode::Iadd | Opcode::Bor) || opcode.can_load() || opcode.can_store() {
            each_operand(dfg, inst, |value| {
                found.insert(dfg.resolve_aliases(value));
            });
        }
    }
    found
}

/// The 64-bit value that a value is, or is the low 32 bits of, looking through conversions; and whether one of the values on
/// the way is reused.
fn original(dfg: &DataFlowGraph, value: Value, is_reused: impl Fn(Value) -> bool) -> Option<(Value, bool)> {
    let (mut value, mut reused) = (value, is_reused(value));
    let mut original = (dfg.value_type(value) == types::I64).then_some(value);
    let unconverted =
        |value| unary_operand(dfg, value, Opcode::Ireduce).or_else(|| unary_operand(dfg, value, Opcode::Uextend));
    // Reductions and extensions of the low 32 bits.
    for _ in 0..if original.is_some() { 0 } else { MAX_LOOK_THROUGH } {
        let Some(from) = unconverted(value) else { break };
        let ty = dfg.value_type(from);
        if !matches!(ty, types::I32 | types::I64) {
            break;
        }
        (value, reused) = (from, reused || is_reused(from));
        original = (ty == types::I64).then_some(from).or(original);
    }
    Some((original?, reused))
}

/// The shifts by one of a function, and what they shift.
pub(crate) fn doublings(function: &Function) -> Vec<(Inst, Value)> {
    insts(function).filter_map(|inst| Some((inst, doubled(&function.dfg, inst)?))).collect()
}

/// The products with 3, 5 and 9 of a function, the other factor, and by how many bits that is shifted and added to itself.
pub(crate) fn multiples(function: &Function) -> Vec<(Inst, Value, i64)> {
    let dfg = &function.dfg;
    let multiple = |inst: Inst| {
        let InstructionData::Binary { opcode: Opcode::Imul, args: [left, right] } = dfg.insts[inst] else {
            return None;
        };
        let (value, factor) = match (constant(dfg, left), constant(dfg, right)) {
            (None, Some(factor)) => (left, factor),
            (Some(factor), None) => (right, factor),
            _ => return None,
        };
        let bits = match factor {
            3 => 1,
            5 => 2,
            9 => 3,
            _ => return None,
        };
        matches!(dfg.value_type(value), types::I32 | types::I64).then_some((inst, value, bits))
    };
    insts(function).filter_map(multiple).collect()
}

/// Makes additions of products.
pub(crate) fn add_multiples(function: &mut Function, multiples: &[(Inst, Value, i64)]) {
    for &(inst, value, bits) in multiples {
        let location = function.srcloc(inst);
        let mut cursor = FuncCursor::new(function).at_inst(inst).with_srcloc(location);
        let bits = iconst(&mut cursor, types::I32, bits);
        let shifted = cursor.ins().ishl(value, bits);
        let sum = cursor.ins().iadd(value, shifted);
        replace_inst(function, inst, sum);
    }
}

/// What a shift by one shifts.
fn doubled(dfg: &DataFlowGraph, inst: Inst) -> Option<Value> {
    let InstructionData::Binary { opcode: Opcode::Ishl, args: [value, by] } = dfg.insts[inst] else { return None };
    let value = dfg.resolve_aliases(value);
    let is_shifted_in_place = matches!(dfg.value_type(value), types::I32 | types::I64);
    (is_shifted_in_place && constant(dfg, by) == Some(1)).then_some(value)
}
