//! Halves of words that were put together and are taken apart again.
//!
//! Compilers for BPF store results of 4 bytes to parts of the frame that hold 8 elsewhere; promoted, such a slot is one word
//! (`lift/slots.rs`), and a store of a half keeps the other.
//!
//! | value, where `mask` has no bit of the half | becomes |
//! |---|---|
//! | the low half of `x & mask \| y` | the low half of `y` |
//! | the half that lies `n` bits up, of `x & mask \| y << n` | the low half of `y` |
//!
//! In: a function. Out: the same with such values. Sound: the other operand has no bit there. One pass.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{Block, DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Value};

use crate::opt::ir::operands::{binary_operands, constant, replace_inst};

/// Replaces them.
pub(super) fn forward(function: &mut Function) {
    let blocks: Vec<Block> = function.layout.blocks().collect();
    for block in blocks {
        let insts: Vec<Inst> = function.layout.block_insts(block).collect();
        for inst in insts {
            let Some(half) = half(&function.dfg, inst) else { continue };
            let ty = function.dfg.value_type(function.dfg.first_result(inst));
            let location = function.srcloc(inst);
            let new = FuncCursor::new(function).at_inst(inst).with_srcloc(location).ins().ireduce(ty, half);
            replace_inst(function, inst, new);
        }
    }
}

/// The word whose low half an instruction's result is.
fn half(dfg: &DataFlowGraph, inst: Inst) -> Option<Value> {
    let InstructionData::Unary { opcode: Opcode::Ireduce, arg } = dfg.insts[inst] else { return None };
    let by = |value, opcode| {
        let [from, by] = binary_operands(dfg, value, opcode)?;
        Some((from, constant(dfg, by)?))
    };
    let (word, up) = by(arg, Opcode::Ushr).unwrap_or((arg, 0));
    let bits = dfg.value_type(dfg.first_result(inst)).bits();
    let wanted = u64::MAX.checked_shr(64 - bits)?.checked_shl(u32::try_from(up).ok()?)?;
    let [one, other] = binary_operands(dfg, word, Opcode::Bor)?;
    let is_elsewhere = |value| {
        let masks = binary_operands(dfg, value, Opcode::Band)?.map(|operand| constant(dfg, operand));
        masks.into_iter().flatten().next().map(|mask| mask & wanted == 0)
    };
    let value = match [one, other].map(|side| is_elsewhere(side).unwrap_or(false)) {
        [true, false] => other,
        [false, true] => one,
        _ => return None,
    };
    match (up, by(value, Opcode::Ishl)) {
        (0, _) => Some(value),
        (up, Some((from, same))) if up == same => Some(from),
        _ => None,
    }
}
