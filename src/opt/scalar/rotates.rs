//! Rotate idioms with a variable amount; Cranelift's own rules know those with a constant one.
//!
//! | value, of `w` bits | becomes |
//! |---|---|
//! | `x << n \| x >> m` where `m` is `-n` modulo `w`, in either order | `rotl x, n` |
//! | the same where `n` is `-m` | `rotr x, m` |
//!
//! Sound: shifts of both BPF and CLIF take their amount modulo `w`, so only `n` and `m`
//! modulo `w` matter. For an amount of 0 both shifts give `x`, and so does `|` of the two, but not `+` or `^`, which are
//! therefore not matched. One pass.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Value, types};

use crate::opt::ir::operands::{binary_operands, constant, replace_inst, unary};
use crate::opt::pass::PassContext;

/// How many instructions an amount or an operand is looked through.
const MAX_AMOUNT_LOOK_THROUGH: usize = 8;

/// Runs the pass.
pub(crate) fn run(function: &mut Function, _: &mut PassContext<'_>) {
    let mut found = Vec::new();
    for block in function.layout.blocks() {
        for inst in function.layout.block_insts(block) {
            found.extend(rotate(&function.dfg, inst).map(|rotate| (inst, rotate)));
        }
    }
    for (inst, Rotate { value, amount, left }) in found {
        let location = function.srcloc(inst);
        let mut cursor = FuncCursor::new(function).at_inst(inst).with_srcloc(location);
        let ins = cursor.ins();
        let new = if left { ins.rotl(value, amount) } else { ins.rotr(value, amount) };
        replace_inst(function, inst, new);
    }
}

struct Rotate {
    value: Value,
    amount: Value,
    left: bool,
}

/// The rotate that an instruction is.
fn rotate(dfg: &DataFlowGraph, inst: Inst) -> Option<Rotate> {
    let InstructionData::Binary { opcode: Opcode::Bor, args: [a, b] } = dfg.insts[inst] else { return None };
    let ty = dfg.value_type(a);
    if !matches!(ty, types::I32 | types::I64) {
        return None;
    }
    let (left, right) = match (binary_operands(dfg, a, Opcode::Ishl), binary_operands(dfg, b, Opcode::Ushr)) {
        (Some(left), Some(right)) => (left, right),
        _ => (binary_operands(dfg, b, Opcode::Ishl)?, binary_operands(dfg, a, Opcode::Ushr)?),
    };
    if unconverted(dfg, left[0]) != unconverted(dfg, right[0]) {
        return None;
    }
    let [up, down] = [left[1], right[1]].map(|value| amount(dfg, value, u64::from(ty.bits())));
    let is_opposite = up.0 == down.0 && up.1 != down.1;
    is_opposite.then_some(Rotate { value: left[0], amount: up.0, left: !up.1 })
}

/// What a value is a copy of, looking through conversions that keep its bits: the original, and how many bits of it.
fn unconverted(dfg: &DataFlowGraph, value: Value) -> (Value, u32) {
    let bits = dfg.value_type(value).bits();
    let mut value = dfg.resolve_aliases(value);
    for _ in 0..MAX_AMOUNT_LOOK_THROUGH {
        match unary(dfg, value) {
            Some((Opcode::Ireduce, arg)) => value = arg,
            Some((Opcode::Uextend | Opcode::Sextend, arg)) if dfg.value_type(arg).bits() >= bits => {
                value = arg;
            }
            _ => break,
        }
    }
    (value, bits)
}

/// A shift amount modulo `bits`: a value, and whether it is negated.
fn amount(dfg: &DataFlowGraph, value: Value, bits: u64) -> (Value, bool) {
    let is_whole = |number: u64| number.is_multiple_of(bits);
    let mut negative = false;
    let mut value = dfg.resolve_aliases(value);
    for _ in 0..MAX_AMOUNT_LOOK_THROUGH {
        let next = match unary(dfg, value) {
            // At least the low 8 bits are kept, and only those matter.
            Some((Opcode::Uextend | Opcode::Sextend | Opcode::Ireduce, arg)) => Some((arg, false)),
            Some((Opcode::Ineg, arg)) => Some((arg, true)),
            _ => None,
        };
        let of_two = |opcode, fits: &dyn Fn(u64) -> bool| {
            let [left, right] = binary_operands(dfg, value, opcode)?;
            constant(dfg, right).is_some_and(fits).then_some(left)
        };
        let from_constant = || {
            let [left, right] = binary_operands(dfg, value, Opcode::Isub)?;
            constant(dfg, left).is_some_and(is_whole).then_some((right, true))
        };
        let next = next
            .or_else(|| of_two(Opcode::Band, &|mask| mask & (bits - 1) == bits - 1).map(|left| (left, false)))
            .or_else(|| of_two(Opcode::Iadd, &is_whole).map(|left| (left, false)))
            .or_else(from_constant);
        let Some((arg, negated)) = next else { break };
        value = dfg.resolve_aliases(arg);
        negative ^= negated;
    }
    (value, negative)
}
