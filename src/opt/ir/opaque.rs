//! Operands of additions whose origin is hidden, so that they stay additions (x86-64).
//!
//! x86-64 adds into a third register (`lea`), and subtracts and shifts in place: a copy comes first where the operand is
//! still wanted. Cranelift's optimiser makes subtractions and shifts of additions wherever it can. What is hidden here is
//! the low one of a pair of words, of which no instruction comes.
//!
//! | value | |
//! |---|---|
//! | what is negated before a loop that adds it | the sum of it and the other operand, with that hidden |
//! | `x << 1`, where `x` is used otherwise too | `x + x`, one of them hidden |
//! | the same, used by additions and accesses, which shift for nothing, or `\|`, which may make a rotate of it | left |
//!
//! In: a function, and the loops that its blocks are in. Out: the same, with such operands. Sound: each is the same number.
//! Two passes over the instructions at most.

use std::collections::HashMap;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::{EntitySet, SecondaryMap};
use cranelift_codegen::ir::{
    DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Type, Value, types,
};
use cranelift_codegen::loop_analysis::LoopAnalysis;

use super::memory_accesses::{self, DEPTH, each_operand, of_values, operand, source};
use crate::opt::memory::byte_provenance::constant;

/// The additions in loops of what is negated before the loop: of each, the place of that operand.
pub(crate) fn negated(function: &Function, loops: &LoopAnalysis) -> Vec<(Inst, usize)> {
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

/// The negation that a value, or what it is the low half of, comes from.
fn negation(dfg: &DataFlowGraph, value: Value) -> Option<Inst> {
    let is_word = |value: Value| dfg.value_type(value) == types::I64;
    let inst = match is_word(value) {
        true => dfg.value_def(dfg.resolve_aliases(value)).inst()?,
        // Low halves of low halves, extended: no type is narrower.
        false if dfg.value_type(value) == types::I32 => source(dfg, value)?,
        false => return None,
    };
    (dfg.insts[inst].opcode() == Opcode::Ineg && is_word(dfg.first_result(inst))).then_some(inst)
}

/// Lets additions use a value that is the negated one, of which that is not known.
pub(crate) fn hide(function: &mut Function, negated: &[(Inst, usize)]) {
    let mut hidden: HashMap<(Inst, Type), Value> = HashMap::new();
    for &(inst, operand) in negated {
        let value = function.dfg.inst_args(inst)[operand];
        let Some(from) = negation(&function.dfg, value) else { continue };
        let ty = function.dfg.value_type(value);
        let value = *hidden.entry((from, ty)).or_insert_with(|| {
            let word = function.dfg.first_result(from);
            let location = function.srcloc(from);
            let mut cursor = FuncCursor::new(function).after_inst(from).with_srcloc(location);
            same(&mut cursor, word, ty)
        });
        function.dfg.inst_args_mut(inst)[operand] = value;
    }
}

/// The low part of a word, of which that is not known.
fn same(cursor: &mut FuncCursor<'_>, word: Value, ty: Type) -> Value {
    let pair = cursor.ins().iconcat(word, word);
    let (low, _) = cursor.ins().isplit(pair);
    if ty == types::I64 { low } else { cursor.ins().ireduce(ty, low) }
}

/// Lets what is doubled while it is still wanted be added to itself, of all that is [`doubled`].
pub(crate) fn double(function: &mut Function, shifts: &[(Inst, Value)]) {
    if shifts.is_empty() {
        return;
    }
    let dfg = &function.dfg;
    let insts = || function.layout.blocks().flat_map(|block| function.layout.block_insts(block));
    let mut count: SecondaryMap<Value, u32> = of_values(dfg);
    let mut is_left: EntitySet<Value> = EntitySet::with_capacity(dfg.num_values());
    for inst in insts() {
        let opcode = dfg.insts[inst].opcode();
        let shifts = matches!(opcode, Opcode::Iadd | Opcode::Bor) || opcode.can_load() || opcode.can_store();
        each_operand(dfg, inst, |value| {
            let value = dfg.resolve_aliases(value);
            count[value] += 1;
            if shifts {
                is_left.insert(value);
            }
        });
    }
    for &(inst, value) in shifts {
        let dfg = &function.dfg;
        let ty = dfg.value_type(value);
        let Some((word, is_wanted)) = origin(dfg, value, |value| count[value] > 1) else { continue };
        if is_left.contains(dfg.first_result(inst)) || !is_wanted {
            continue;
        }
        let location = function.srcloc(inst);
        let mut cursor = FuncCursor::new(function).at_inst(inst).with_srcloc(location);
        let hidden = same(&mut cursor, word, ty);
        let sum = cursor.ins().iadd(value, hidden);
        memory_accesses::replace(function, inst, sum);
    }
}

/// The word that a value is, or is the low half of, seen through conversions; and whether one on the way `is_wanted`.
fn origin(dfg: &DataFlowGraph, value: Value, is_wanted: impl Fn(Value) -> bool) -> Option<(Value, bool)> {
    let (mut value, mut wanted) = (value, is_wanted(value));
    let mut word = (dfg.value_type(value) == types::I64).then_some(value);
    let converted = |value| operand(dfg, value, Opcode::Ireduce).or_else(|| operand(dfg, value, Opcode::Uextend));
    // Low halves of low halves, extended.
    for _ in 0..if word.is_some() { 0 } else { DEPTH } {
        let Some(from) = converted(value) else { break };
        let ty = dfg.value_type(from);
        if !matches!(ty, types::I32 | types::I64) {
            break;
        }
        (value, wanted) = (from, wanted || is_wanted(from));
        word = (ty == types::I64).then_some(from).or(word);
    }
    Some((word?, wanted))
}

/// The word that a shift by one is of.
pub(crate) fn doubled(dfg: &DataFlowGraph, inst: Inst) -> Option<Value> {
    let InstructionData::Binary { opcode: Opcode::Ishl, args: [value, by] } = dfg.insts[inst] else { return None };
    let value = dfg.resolve_aliases(value);
    let is_word = matches!(dfg.value_type(value), types::I32 | types::I64);
    (is_word && constant(dfg, by) == Some(1)).then_some(value)
}
