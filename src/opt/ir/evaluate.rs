//! What an integer instruction computes, for given numbers of its operands.
//!
//! In: an instruction, and the number of each operand that has one. Out: the number of its result; none if the instruction is
//! not among those here, or an operand has no number. A number is as wide as its type, zero-extended to 64 bits.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{DataFlowGraph, Inst, InstructionData, Opcode, Type, Value};

use super::operands::size_of;

/// Evaluates constants, arithmetic but signed division, comparisons, selects and conversions of integers. The caller truncates
/// the result to its type ([`narrow`]).
pub(crate) fn evaluate(dfg: &DataFlowGraph, inst: Inst, number: impl Fn(Value) -> Option<u64>) -> Option<u64> {
    let ty = dfg.value_type(dfg.first_result(inst));
    size_of(ty)?;
    Some(match dfg.insts[inst] {
        InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => imm.bits() as u64,
        InstructionData::Unary { opcode, arg } => {
            let value = number(arg)?;
            match opcode {
                Opcode::Uextend | Opcode::Ireduce => value,
                Opcode::Sextend => signed(value, dfg.value_type(arg)) as u64,
                Opcode::Bnot => !value,
                Opcode::Ineg => value.wrapping_neg(),
                Opcode::Bswap => value.swap_bytes() >> (64 - ty.bits()),
                _ => return None,
            }
        }
        InstructionData::Binary { opcode, args } => {
            let [left, right] = [number(args[0])?, number(args[1])?];
            let by = (right % u64::from(ty.bits())) as u32;
            match opcode {
                Opcode::Iadd => left.wrapping_add(right),
                Opcode::Isub => left.wrapping_sub(right),
                Opcode::Imul => left.wrapping_mul(right),
                Opcode::Band => left & right,
                Opcode::Bor => left | right,
                Opcode::Bxor => left ^ right,
                Opcode::Ishl => left << by,
                Opcode::Ushr => left >> by,
                Opcode::Sshr => (signed(left, ty) >> by) as u64,
                Opcode::Rotl => left << by | left.checked_shr(ty.bits() - by).unwrap_or(0),
                Opcode::Rotr => left >> by | left.checked_shl(ty.bits() - by).unwrap_or(0),
                Opcode::Udiv => left.checked_div(right)?,
                Opcode::Urem => left.checked_rem(right)?,
                _ => return None,
            }
        }
        InstructionData::IntCompare { cond, args, .. } => {
            let [left, right] = [number(args[0])?, number(args[1])?];
            let of = dfg.value_type(args[0]);
            u64::from(holds(cond, [left, right], [left, right].map(|number| signed(number, of))))
        }
        InstructionData::Ternary { opcode: Opcode::Select, args: [condition, one, other] } => {
            if number(condition)? != 0 { number(one)? } else { number(other)? }
        }
        _ => return None,
    })
}

/// Whether a comparison of two numbers holds.
fn holds(cond: IntCC, [a, b]: [u64; 2], [c, d]: [i64; 2]) -> bool {
    match cond {
        IntCC::Equal => a == b,
        IntCC::NotEqual => a != b,
        IntCC::UnsignedLessThan => a < b,
        IntCC::UnsignedLessThanOrEqual => a <= b,
        IntCC::UnsignedGreaterThan => a > b,
        IntCC::UnsignedGreaterThanOrEqual => a >= b,
        IntCC::SignedLessThan => c < d,
        IntCC::SignedLessThanOrEqual => c <= d,
        IntCC::SignedGreaterThan => c > d,
        IntCC::SignedGreaterThanOrEqual => c >= d,
    }
}

/// Truncates a number to a type.
pub(crate) fn narrow(number: u64, ty: Type) -> u64 {
    match size_of(ty) {
        Some(size @ 1..8) => number & ((1 << (8 * size)) - 1),
        _ => number,
    }
}

/// A number of a type as a signed one.
pub(crate) fn signed(number: u64, ty: Type) -> i64 {
    let unused = 64_u32.saturating_sub(ty.bits());
    ((number << unused) as i64) >> unused
}
