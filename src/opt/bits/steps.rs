//! Steps: a value joined with the same value shifted, of which all idioms of bits by shifts and masks are made.
//!
//! In: a function's data flow graph, a value. Out: the value that a step is of, or how many steps follow each other. The rule: a
//! few instructions are looked at for each step, so that the [cones](super::cone) of what is no idiom are hardly ever built.

use cranelift_codegen::ir::{DataFlowGraph, InstructionData, Opcode, Value};

use super::cone::{number, ones};
use crate::opt::ir::operands::{binary_operands, unary};

/// How many conversions, masks and shifts one side of a step has.
const MAX_SIDE: usize = 12;

/// Most steps that are counted.
const MAX_STEPS: usize = 4;

/// A value, shifted left by `shift` bits (right, if it is negative) and then masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Side {
    base: Value,
    shift: i32,
    mask: u64,
}

fn shifted(number: u64, by: i32) -> u64 {
    match by {
        _ if by.abs() >= 64 => 0,
        _ if by < 0 => number >> -by,
        _ => number << by,
    }
}

/// The operand of a commuting instruction with a constant, and that.
pub(super) fn with_constant(dfg: &DataFlowGraph, value: Value, wanted: Opcode) -> Option<(Value, u64)> {
    let [left, right] = binary_operands(dfg, value, wanted)?;
    match (number(dfg, left), number(dfg, right)) {
        (_, Some(number)) => Some((left, number)),
        (Some(number), None) if matches!(wanted, Opcode::Band | Opcode::Imul) => Some((right, number)),
        _ => None,
    }
}

/// What a value is a conversion of.
pub(super) fn unconverted(dfg: &DataFlowGraph, value: Value) -> Value {
    let mut value = dfg.resolve_aliases(value);
    for _ in 0..MAX_SIDE {
        match unary(dfg, value) {
            Some((Opcode::Uextend | Opcode::Ireduce, inner)) => value = inner,
            _ => break,
        }
    }
    value
}

impl Side {
    fn of(dfg: &DataFlowGraph, value: Value) -> Side {
        let width = dfg.value_type(value).bits();
        let mut side = Side { base: unconverted(dfg, value), shift: 0, mask: ones(width) };
        for _ in 0..MAX_SIDE {
            let width = dfg.value_type(side.base).bits().min(64);
            let (inner, mask, by) = if let Some((inner, mask)) = with_constant(dfg, side.base, Opcode::Band) {
                (inner, mask, 0)
            } else if let Some((inner, by)) = with_constant(dfg, side.base, Opcode::Ushr) {
                let by = (by % u64::from(width)) as i32;
                (inner, ones(width) >> by, -by)
            } else if let Some((inner, by)) = with_constant(dfg, side.base, Opcode::Ishl) {
                let by = (by % u64::from(width)) as i32;
                (inner, ones(width) << by, by)
            } else if let Some([left, right]) = binary_operands(dfg, side.base, Opcode::Iadd)
                && unconverted(dfg, left) == unconverted(dfg, right)
            {
                (left, ones(width) << 1, 1)
            } else {
                break;
            };
            let mask = side.mask & shifted(mask, side.shift);
            side = Side { base: unconverted(dfg, inner), shift: side.shift + by, mask };
        }
        side
    }
}

/// Whether a value may be another one that is shifted, or masked after that: most operands are not.
fn may_be_shifted(dfg: &DataFlowGraph, value: Value) -> bool {
    let value = unconverted(dfg, value);
    let Some(inst) = dfg.value_def(value).inst() else { return false };
    match dfg.insts[inst] {
        InstructionData::Binary { opcode: Opcode::Band | Opcode::Ushr | Opcode::Ishl, .. } => true,
        InstructionData::Binary { opcode: Opcode::Iadd, args: [left, right] } => {
            unconverted(dfg, left) == unconverted(dfg, right)
        }
        _ => false,
    }
}

/// Whether operands may be the two sides of a step: those of most instructions are not.
pub(super) fn may_be_sides(dfg: &DataFlowGraph, operands: [Value; 2]) -> bool {
    operands.iter().any(|&operand| may_be_shifted(dfg, operand))
}

/// The two sides of a step, the one that is shifted less to the right first.
fn sides(dfg: &DataFlowGraph, value: Value, wanted: Opcode) -> Option<[Side; 2]> {
    let operands = binary_operands(dfg, value, wanted)?;
    if !may_be_sides(dfg, operands) {
        return None;
    }
    let [left, right] = operands.map(|operand| Side::of(dfg, operand));
    let is_step = left.base == right.base && left.shift != right.shift;
    is_step.then_some(if left.shift > right.shift { [left, right] } else { [right, left] })
}

/// How many steps of these instructions a value is, one after the other, conversions, masks and `bswap` aside; at most
/// [`MAX_STEPS`].
fn steps(dfg: &DataFlowGraph, value: Value, step: impl Fn(Value) -> Option<Value>) -> usize {
    let mut value = value;
    for count in 0..MAX_STEPS {
        value = unconverted(dfg, value);
        if let Some((inner, _)) = with_constant(dfg, value, Opcode::Band) {
            value = unconverted(dfg, inner);
        }
        match step(value) {
            Some(base) => value = base,
            None => return count,
        }
    }
    MAX_STEPS
}

/// How many steps add the higher of each two fields to the lower, or subtract it.
pub(super) fn sums(dfg: &DataFlowGraph, value: Value) -> usize {
    let step = |value| sides(dfg, value, Opcode::Iadd).or_else(|| sides(dfg, value, Opcode::Isub));
    steps(dfg, value, |value| Some(step(value)?[0].base))
}

/// How many steps XOR a value with the same shifted to the right.
pub(super) fn folds(dfg: &DataFlowGraph, value: Value) -> usize {
    let fold = |sides: [Side; 2]| (sides[0].shift == 0 && sides[1].shift < 0).then_some(sides[0].base);
    steps(dfg, value, |value| fold(sides(dfg, value, Opcode::Bxor)?))
}

/// How many steps OR a value with the same shifted to the right.
pub(super) fn smears(dfg: &DataFlowGraph, value: Value) -> usize {
    let smear = |sides: [Side; 2]| (sides[0].shift == 0 && sides[1].shift < 0).then_some(sides[0].base);
    steps(dfg, value, |value| smear(sides(dfg, value, Opcode::Bor)?))
}

/// How many steps exchange each two neighbouring fields; the last may exchange more of them, with an operand for each.
pub(super) fn exchanges(dfg: &DataFlowGraph, value: Value) -> usize {
    let base = |value| {
        let [up, down] = sides(dfg, value, Opcode::Bor).or_else(|| sides(dfg, value, Opcode::Iadd))?;
        // Reversals of fewer bits than a register has leave the rest 0.
        let exchanges = up.shift == -down.shift && up.mask & down.mask == 0;
        exchanges.then_some(up.base)
    };
    let of_two = steps(dfg, value, base);
    match binary_operands(dfg, value, Opcode::Bor) {
        Some([_, last]) if of_two == 0 => steps(dfg, Side::of(dfg, last).base, base),
        _ => of_two,
    }
}
