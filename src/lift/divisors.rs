//! Divisors that are never 0, so that a division needs no branch for it.
//!
//! | value | is never 0 |
//! |---|---|
//! | a constant but 0 | yes |
//! | `x \| y` | if one of them is |
//! | `select c, x, y` | if each is, or is compared with a constant by `c` so that it is not where it is chosen |
//!
//! So are `n ? n : 1` and what LLVM writes for the greater of `n` and 1. Conversions between 32 and 64 bits are looked through.
//!
//! In: a value of a function that is lifted. Out: whether its low bits are never all 0. [`MAX_DEPTH`] instructions are looked through, one
//! behind the other.
//!
//! Measured, in executed instructions: `primecount` of Embench 0.86, whose divisor is the greater of a number and 1: what is around the
//! division is one block then, too.

use cranelift_codegen::ir::condcodes::{CondCode, IntCC};
use cranelift_codegen::ir::{DataFlowGraph, InstructionData, Opcode, Value};

use super::constants::constant;

/// How many instructions are looked through, one behind the other.
const MAX_DEPTH: usize = 4;

/// Whether a value is never 0.
pub(super) fn is_never_zero(dfg: &DataFlowGraph, value: Value) -> bool {
    low_bits_are_never_zero(dfg, value, dfg.value_type(value).bits(), MAX_DEPTH)
}

fn low_bits_are_never_zero(dfg: &DataFlowGraph, value: Value, bits: u32, depth: usize) -> bool {
    let (value, bits) = unconverted(dfg, value, bits);
    let (Some(inst), Some(depth)) = (dfg.value_def(value).inst(), depth.checked_sub(1)) else { return false };
    let is = |value: Value| low_bits_are_never_zero(dfg, value, bits, depth);
    if let Some(constant) = constant(dfg, value) {
        return low_bits(constant, bits) != 0;
    }
    match dfg.insts[inst] {
        InstructionData::Binary { opcode: Opcode::Bor, args: [left, right] } => is(left) || is(right),
        InstructionData::Ternary { opcode: Opcode::Select, args: [condition, chosen, other] } => {
            (is(chosen) || excludes_zero(dfg, condition, true, chosen, bits))
                && (is(other) || excludes_zero(dfg, condition, false, other, bits))
        }
        _ => false,
    }
}

/// Whether a condition, or its opposite, says that the low bits of a value are not all 0.
fn excludes_zero(dfg: &DataFlowGraph, condition: Value, holds: bool, value: Value, bits: u32) -> bool {
    let Some(inst) = dfg.value_def(dfg.resolve_aliases(condition)).inst() else { return false };
    let InstructionData::IntCompare { cond, args: [compared, with], .. } = dfg.insts[inst] else { return false };
    let compared_bits = dfg.value_type(compared).bits();
    let Some(constant) = constant(dfg, with) else { return false };
    let (of, of_bits) = unconverted(dfg, compared, compared_bits);
    // If the low bits are not all 0, those and others are not either.
    let (value, bits) = unconverted(dfg, value, bits);
    if of != value || of_bits > bits {
        return false;
    }
    let unused = 64 - compared_bits.min(64);
    let (number, signed) = (low_bits(constant, compared_bits), constant.cast_signed() << unused >> unused);
    match if holds { cond } else { cond.complement() } {
        IntCC::NotEqual => number == 0,
        IntCC::Equal | IntCC::UnsignedGreaterThanOrEqual => number != 0,
        IntCC::UnsignedGreaterThan => true,
        IntCC::SignedGreaterThan => signed >= 0,
        IntCC::SignedGreaterThanOrEqual => signed > 0,
        IntCC::SignedLessThan => signed <= 0,
        IntCC::SignedLessThanOrEqual => signed < 0,
        IntCC::UnsignedLessThan | IntCC::UnsignedLessThanOrEqual => false,
    }
}

/// The value behind conversions, and how many of its low bits are not all 0 if and only if so many of the value's are not.
fn unconverted(dfg: &DataFlowGraph, value: Value, bits: u32) -> (Value, u32) {
    let (mut value, mut bits) = (dfg.resolve_aliases(value), bits);
    for _ in 0..MAX_DEPTH {
        let Some(inst) = dfg.value_def(value).inst() else { break };
        let InstructionData::Unary { opcode: Opcode::Ireduce | Opcode::Uextend | Opcode::Sextend, arg } =
            dfg.insts[inst]
        else {
            break;
        };
        value = dfg.resolve_aliases(arg);
        bits = bits.min(dfg.value_type(value).bits());
    }
    (value, bits)
}

/// The low bits of a number.
fn low_bits(number: u64, bits: u32) -> u64 {
    number & u64::MAX >> (64 - bits.clamp(1, 64))
}
