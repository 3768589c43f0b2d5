//! Comparisons of masked numbers are of 8 or 16 bits (x86-64, whose instructions have them).
//!
//! BPF compares 32 or 64 bits, so what was computed with 32 is masked first; x86-64 compares low bytes.
//!
//! | comparison: equality, or an unsigned order | becomes |
//! |---|---|
//! | of `x & 0xff` with a constant of 8 bits or what fits in 8 | that of `ireduce.i8 x` |
//! | of `x & 0xffff`, with a constant of 7 bits or what is no constant | that of `ireduce.i16 x` |
//!
//! A constant of 16 bits is slow to decode. What compares a mask that has other uses stays. Masks stay masks: as extensions of low
//! bytes they would be shorter, but Cranelift computes a mask once more where that saves a register, and an extension it does not
//! (the functions of `benches/translation` were 10 % larger, and took 14 % longer to translate).
//!
//! In: a function. Out: the same with such comparisons. Sound: of two numbers that are zero-extended from so many bits, the low bits
//! compare as they do. One pass over the instructions.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Type, Value, types,
};

use crate::opt::ir::insts::insts;
use crate::opt::ir::operands::{constant, iconst, replace_inst};
use crate::opt::ir::uses::use_counts;
use crate::opt::ir::zero_extension::significant_bytes;
use crate::opt::pass::PassContext;

/// A mask: its result, the number that it masks, and how many bits it keeps.
#[derive(Clone, Copy)]
struct Mask {
    result: Value,
    number: Value,
    bits: u16,
}

/// A comparison.
struct Narrow {
    inst: Inst,
    condition: IntCC,
    args: [Value; 2],
    /// The type that it is to be of.
    ty: Type,
    /// The masks that it does without.
    masks: [Option<Mask>; 2],
}

/// Runs the pass.
pub(crate) fn run(function: &mut Function, _: &mut PassContext<'_>) {
    let dfg = &function.dfg;
    let comparisons: Vec<Narrow> = insts(function).filter_map(|inst| narrow(dfg, inst)).collect();
    if comparisons.is_empty() {
        return;
    }
    let counts = use_counts(function);
    for Narrow { inst, condition, args, ty, masks } in comparisons {
        if masks.iter().flatten().any(|mask| counts[mask.result] > 1) {
            continue;
        }
        let location = function.srcloc(inst);
        let mut cursor = FuncCursor::new(function).at_inst(inst).with_srcloc(location);
        let mut low = |place: usize| {
            let value = masks[place].map_or(args[place], |mask| mask.number);
            match constant(&cursor.func.dfg, value) {
                Some(number) => iconst(&mut cursor, ty, number.cast_signed()),
                None => cursor.ins().ireduce(ty, value),
            }
        };
        let args = [low(0), low(1)];
        let new = cursor.ins().icmp(condition, args[0], args[1]);
        replace_inst(function, inst, new);
    }
}

/// What a comparison could be.
fn narrow(dfg: &DataFlowGraph, inst: Inst) -> Option<Narrow> {
    let InstructionData::IntCompare { cond: condition, args, .. } = dfg.insts[inst] else { return None };
    let args = args.map(|value| dfg.resolve_aliases(value));
    let is_signed = condition != condition.unsigned();
    if is_signed || !matches!(dfg.value_type(args[0]), types::I32 | types::I64) {
        return None;
    }
    let masks = args.map(|value| mask(dfg, dfg.value_def(value).inst()?));
    let bits = masks.iter().flatten().map(|mask| mask.bits).max()?;
    let fits = |place: usize| {
        let size =
            masks[place].map_or_else(|| u16::from(significant_bytes(dfg, args[place])) * 8, |mask| mask.bits);
        size <= bits
    };
    let is_short = |&value: &Value| constant(dfg, value).is_none_or(|number| bits == 8 || number < 0x80);
    if !(fits(0) && fits(1) && args.iter().all(is_short)) {
        return None;
    }
    // A narrower mask is needed.
    let masks = masks.map(|mask| mask.filter(|mask| mask.bits == bits));
    Some(Narrow { inst, condition, args, ty: Type::int(bits)?, masks })
}

/// A mask of 8 or 16 bits.
fn mask(dfg: &DataFlowGraph, inst: Inst) -> Option<Mask> {
    let InstructionData::Binary { opcode: Opcode::Band, args: [number, mask] } = dfg.insts[inst] else {
        return None;
    };
    let result = dfg.first_result(inst);
    let bits = match constant(dfg, mask)? {
        0xff => 8,
        0xffff => 16,
        _ => return None,
    };
    let is_wider = matches!(dfg.value_type(result), types::I32 | types::I64);
    is_wider.then(|| Mask { result, number: dfg.resolve_aliases(number), bits })
}
