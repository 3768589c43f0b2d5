//! How floats are given to instructions: which operand comes first, where masks of the sign come from, how an integer is converted.
//!
//! | instruction | becomes |
//! |---|---|
//! | `fadd`, `fmul` of a constant and something else | the constant comes second: it may lie in memory |
//! | `fadd`, `fmul` of what is used again (also in the next iteration) and what is not | the latter comes first: x86-64 writes the result over it |
//! | `fabs`, `fneg` | where Cranelift makes the mask in a general register each time: `band`, `bxor` with a lane of a vector, which it loads from memory, and outside of loops |
//! | `fcvt_from_uint` of what was loaded from 8 or 16 bytes | `fcvt_from_sint`: x86-64 has no instruction for the other |
//!
//! In: a function with floats, its loops. Out: the same. Sound: sums and products do not depend on the order of their operands, but for the payload of
//! a NaN; the lane has the bits that `fabs` clears or `fneg` flips; a number below 2^31 is the same with and without a sign. One pass.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{
    Block, DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Value, ValueDef, types,
};
use cranelift_codegen::loop_analysis::LoopAnalysis;

use super::webs::Format;
use crate::config::TargetFacts;
use crate::opt::ir::operands::{MAX_LOOK_THROUGH, defining_block, replace_inst, unary};
use crate::opt::ir::uses::use_counts;

/// Changes all instructions.
pub(super) fn arrange(function: &mut Function, loops: &LoopAnalysis, facts: TargetFacts) {
    let counts = use_counts(function);
    let blocks: Vec<Block> = function.layout.blocks().collect();
    for block in blocks {
        let inner = loops.innermost_loop(block);
        let insts: Vec<Inst> = function.layout.block_insts(block).collect();
        for inst in insts {
            let is_reused = |value: Value| {
                let of_iteration = |inner| {
                    let block = defining_block(function, bits(&function.dfg, value));
                    block.is_some_and(|block| loops.is_in_loop(block, inner))
                };
                counts[value] > 1 || !inner.is_none_or(of_iteration)
            };
            match function.dfg.insts[inst] {
                InstructionData::Binary { opcode: Opcode::Fadd | Opcode::Fmul, args }
                    if is_better_second(&function.dfg, is_reused, args) =>
                {
                    function.dfg.inst_args_mut(inst).swap(0, 1);
                }
                InstructionData::Unary { opcode: opcode @ (Opcode::Fabs | Opcode::Fneg), arg }
                    if facts.masks_are_vectors =>
                {
                    mask(function, inst, opcode, arg);
                }
                InstructionData::Unary { opcode: Opcode::FcvtFromUint, arg } if is_small(&function.dfg, arg) => {
                    let ty = function.dfg.value_type(function.dfg.first_result(inst));
                    let location = function.srcloc(inst);
                    let mut cursor = FuncCursor::new(function).at_inst(inst).with_srcloc(location);
                    let new = cursor.ins().fcvt_from_sint(ty, arg);
                    replace_inst(function, inst, new);
                }
                _ => {}
            }
        }
    }
}

/// What holds the bits of a float.
fn bits(dfg: &DataFlowGraph, value: Value) -> Value {
    let mut bits = value;
    while let ValueDef::Result(inst, _) = dfg.value_def(bits)
        && let InstructionData::LoadNoOffset { opcode: Opcode::Bitcast, arg, .. } = dfg.insts[inst]
    {
        bits = dfg.resolve_aliases(arg);
    }
    bits
}

/// Whether the first operand had better be the second.
fn is_better_second(dfg: &DataFlowGraph, is_reused: impl Fn(Value) -> bool, [first, second]: [Value; 2]) -> bool {
    let [first, second] = [first, second].map(|value| dfg.resolve_aliases(value));
    let opcode = |value: Value| dfg.value_def(value).inst().map(|inst| dfg.insts[inst].opcode());
    let is_constant = |value| matches!(opcode(value), Some(Opcode::F32const | Opcode::F64const));
    match [first, second].map(is_constant) {
        [true, false] => true,
        [false, true] => false,
        _ => is_reused(first) && !is_reused(second),
    }
}

/// Replaces an instruction that clears or flips the sign.
fn mask(function: &mut Function, inst: Inst, opcode: Opcode, arg: Value) {
    let ty = function.dfg.value_type(arg);
    let (format, vector) = match ty {
        types::F32 => (Format::F32, types::F32X4),
        types::F64 => (Format::F64, types::F64X2),
        _ => return,
    };
    let mask = if opcode == Opcode::Fabs { format.sign() - 1 } else { format.sign() };
    let bytes = mask.to_le_bytes();
    let lane = &bytes[..ty.bytes() as usize];
    let constant = function.dfg.constants.insert(lane.repeat(16 / lane.len()).into());
    let location = function.srcloc(inst);
    let mut cursor = FuncCursor::new(function).at_inst(inst).with_srcloc(location);
    let mask = cursor.ins().vconst(vector, constant);
    // The first lane of a vector is in the register that floats are in.
    let mask = cursor.ins().extractlane(mask, 0);
    let result = match opcode {
        Opcode::Fabs => cursor.ins().band(arg, mask),
        _ => cursor.ins().bxor(arg, mask),
    };
    replace_inst(function, inst, result);
}

/// Whether a number was loaded from so few bytes that it has no sign.
fn is_small(dfg: &DataFlowGraph, value: Value) -> bool {
    let mut loaded = dfg.resolve_aliases(value);
    for _ in 0..MAX_LOOK_THROUGH {
        let Some((Opcode::Uextend | Opcode::Ireduce, arg)) = unary(dfg, loaded) else { break };
        loaded = arg;
    }
    let opcode = dfg.value_def(loaded).inst().map(|inst| dfg.insts[inst].opcode());
    dfg.value_type(value).bits() >= 32 && matches!(opcode, Some(Opcode::Uload8 | Opcode::Uload16))
}
