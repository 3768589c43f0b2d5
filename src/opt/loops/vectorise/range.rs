//! Ranges: which integers a value may be.
//!
//! In: the ranges of operands. Out: that of a result. A value of `b` bits has the range `[min, max]` if it is congruent, modulo
//! 2^b, to an integer in it. The rule: a range lies in the signed or in the unsigned numbers of `b` bits, so it says how the value
//! is extended; what may be anything has all the unsigned ones.

use cranelift_codegen::ir::{DataFlowGraph, InstructionData, Opcode, Value, ValueDef};

use crate::opt::ir::operands::{constant, type_of, unary};
use crate::opt::loops::induction::wrapped as signed_number;

/// How many instructions an operand of unknown origin is looked through.
const MAX_DEPTH: usize = 4;

/// A range of integers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) min: i128,
    pub(super) max: i128,
}

impl Range {
    /// All unsigned numbers of so many bits.
    pub(super) fn unsigned(bits: u32) -> Range {
        Range { min: 0, max: (1 << bits) - 1 }
    }

    /// All signed numbers of so many bits.
    pub(super) fn signed(bits: u32) -> Range {
        Range { min: -(1 << (bits - 1)), max: (1 << (bits - 1)) - 1 }
    }

    /// One number.
    pub(super) fn of(number: i128) -> Range {
        Range { min: number, max: number }
    }

    /// Whether all numbers of this range are in another one.
    pub(super) fn is_within(self, other: Range) -> bool {
        other.min <= self.min && self.max <= other.max
    }

    /// Whether zero extension of the low bits gives the number.
    pub(super) fn fits_unsigned(self, bits: u32) -> bool {
        self.is_within(Range::unsigned(bits))
    }

    /// Whether sign extension of the low bits gives the number.
    pub(super) fn fits_signed(self, bits: u32) -> bool {
        self.is_within(Range::signed(bits))
    }

    /// Whether one of them does.
    pub(super) fn fits(self, bits: u32) -> bool {
        self.fits_unsigned(bits) || self.fits_signed(bits)
    }

    /// The range of a result of so many bits: anything, if it may have wrapped.
    pub(super) fn wrapped(self, bits: u32) -> Range {
        if self.fits(bits) { self } else { Range::unsigned(bits) }
    }

    /// The sums.
    pub(super) fn plus(self, other: Range) -> Range {
        Range { min: self.min + other.min, max: self.max + other.max }
    }

    /// The differences.
    pub(super) fn minus(self, other: Range) -> Range {
        Range { min: self.min - other.max, max: self.max - other.min }
    }

    /// The products.
    pub(super) fn times(self, other: Range) -> Range {
        let ends = [self.min, self.max]
            .into_iter()
            .flat_map(|one| [other.min, other.max].map(|by| one.saturating_mul(by)));
        ends.fold(Range { min: i128::MAX, max: i128::MIN }, |range, end| Range {
            min: range.min.min(end),
            max: range.max.max(end),
        })
    }

    /// Numbers of one or the other.
    pub(super) fn or(self, other: Range) -> Range {
        Range { min: self.min.min(other.min), max: self.max.max(other.max) }
    }

    /// The lesser, or the greater, of two numbers.
    pub(super) fn extreme(self, other: Range, is_max: bool) -> Range {
        match is_max {
            true => Range { min: self.min.max(other.min), max: self.max.max(other.max) },
            false => Range { min: self.min.min(other.min), max: self.max.min(other.max) },
        }
    }

    /// The numbers, shifted right.
    pub(super) fn shifted_right(self, by: u32) -> Range {
        Range { min: self.min >> by, max: self.max >> by }
    }
}

/// The range of a value that a loop does not change.
pub(super) fn of_uniform(dfg: &DataFlowGraph, value: Value) -> Range {
    within(dfg, value, MAX_DEPTH)
}

fn within(dfg: &DataFlowGraph, value: Value, depth: usize) -> Range {
    let ty = dfg.value_type(value);
    let bits = ty.bits();
    let any = Range::unsigned(bits.min(64));
    if let Some(number) = constant(dfg, value) {
        return Range::of(i128::from(signed_number(number as i64, ty)));
    }
    if depth == 0 {
        return any;
    }
    if let Some((opcode, operand)) = unary(dfg, value) {
        let from = dfg.value_type(operand).bits();
        let range = within(dfg, operand, depth - 1);
        return match opcode {
            Opcode::Uextend => extended(range, from, false),
            Opcode::Sextend => extended(range, from, true),
            Opcode::Ireduce => range.wrapped(bits),
            _ => any,
        };
    }
    let ValueDef::Result(inst, _) = dfg.value_def(value) else { return any };
    match dfg.insts[inst] {
        InstructionData::Load { opcode, .. } => loaded(opcode).unwrap_or(any),
        InstructionData::Binary { opcode: Opcode::Band, args: [_, mask] } => {
            constant(dfg, mask).map_or(any, |mask| Range { min: 0, max: i128::from(mask).min(any.max) })
        }
        _ => any,
    }
}

/// The range of what a narrow load extends.
pub(super) fn loaded(opcode: Opcode) -> Option<Range> {
    Some(match opcode {
        Opcode::Uload8 => Range::unsigned(8),
        Opcode::Uload16 => Range::unsigned(16),
        Opcode::Uload32 => Range::unsigned(32),
        Opcode::Sload8 => Range::signed(8),
        Opcode::Sload16 => Range::signed(16),
        Opcode::Sload32 => Range::signed(32),
        _ => return None,
    })
}

/// The range of what a number of this range and so many bits is extended to.
pub(super) fn extended(range: Range, from: u32, is_signed: bool) -> Range {
    let all = if is_signed { Range::signed(from) } else { Range::unsigned(from) };
    if range.is_within(all) { range } else { all }
}

/// How many bits a mask keeps, if it is that of the low bits of a lane.
pub(super) fn low_bits(mask: u64) -> Option<u32> {
    let bits = mask.trailing_ones();
    (mask.checked_shr(bits).unwrap_or(0) == 0
        && bits < 64
        && type_of((bits / 8) as u8).is_some()
        && bits.is_multiple_of(8))
    .then_some(bits)
}
