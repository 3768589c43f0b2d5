//! Counts of trailing and leading zeros, from what a value is for each place of a number's lowest or highest one bit.
//!
//! In: an [`Isolated`], a function of its values. Out: a [`ZeroCount`], as instructions.
//!
//! | result for bit `k`, and for 0 | becomes, of `w` bits |
//! |---|---|
//! | `a + b k` with `b` 1 or -1, for 0 what that is for `k = w` | `a + b ctz(x)` |
//! | the same, for 0 what it is for `k = 0` | `a + b (ctz(x) & w - 1)`: `ctz(0)` is `w` |
//! | the same, for 0 what it is for `k = w - 1` | `a + b ctz(x \| 1 << w - 1)` |
//! | of the highest bit, `k` is `w - 1 - clz(x)`; for 0 what that is for `k = -1` | `clz(x)` |
//! | the same, for 0 what it is for `k = 0` | `clz(x \| 1)` |
//! | anything else for 0 | a select |
//!
//! Sound: all `w + 1` values are tried.

use cranelift_codegen::cursor::FuncCursor;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};

use super::cone::ones;
use super::isolated::{Isolated, Number};
use crate::config::TargetFacts;
use crate::opt::ir::operands::iconst;

/// What is counted where the number is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Zero {
    /// What the instruction gives.
    AsItIs,
    /// What it gives for a number whose lowest bit is the one.
    LowestBit,
    /// What it gives for a number whose highest bit is the one.
    HighestBit,
    /// This.
    Number(u64),
}

/// `base + count` or `base - count`.
#[derive(Clone, Copy, Debug)]
pub(super) struct ZeroCount {
    number: Number,
    width: u32,
    trailing: bool,
    base: u64,
    negative: bool,
    zero: Zero,
}

impl ZeroCount {
    /// The count that gives `result` of each value that `isolated` may have, in numbers of `bits` bits.
    pub(super) fn new(isolated: &Isolated, bits: u32, result: impl Fn(u64) -> Option<u64>) -> Option<ZeroCount> {
        let at = |bit| result(isolated.value(bit)).map(|number| number & ones(bits));
        let width = isolated.width;
        let (first, second, zero) = (at(Some(0))?, at(Some(1))?, at(None)?);
        let negative = match second.wrapping_sub(first) & ones(bits) {
            1 => false,
            step if step == ones(bits) => true,
            _ => return None,
        };
        let line = |bit: u64| {
            let number = if negative { first.wrapping_sub(bit) } else { first.wrapping_add(bit) };
            number & ones(bits)
        };
        // What is computed of 64 bits may be a count of the low 32, of which the others are garbage.
        let on_line = (0..width).take_while(|&bit| at(Some(bit)) == Some(line(u64::from(bit)))).count() as u32;
        let width = match on_line {
            _ if on_line == width => width,
            32.. if isolated.is_of_lowest() && (32..width).all(|bit| at(Some(bit)) == Some(zero)) => 32,
            _ => return None,
        };
        let (last, one_more, one_less) = (line(u64::from(width) - 1), line(u64::from(width)), line(u64::MAX));
        let trailing = isolated.is_of_lowest();
        let zero = match zero {
            _ if zero == (if trailing { one_more } else { one_less }) => Zero::AsItIs,
            _ if zero == first => Zero::LowestBit,
            _ if zero == last && trailing => Zero::HighestBit,
            _ => Zero::Number(zero),
        };
        // The highest bit is `width - 1` less the leading zeros.
        let (base, negative) = if trailing { (first, negative) } else { (last, !negative) };
        Some(ZeroCount { number: isolated.number, width, trailing, base, negative, zero })
    }

    /// Inserts it, as a number of this type.
    pub(super) fn insert(&self, cursor: &mut FuncCursor<'_>, ty: Type, facts: &TargetFacts) -> Value {
        let ZeroCount { width, trailing, base, negative, zero, .. } = *self;
        let count_type = if width == 32 { types::I32 } else { types::I64 };
        let of = self.number.insert(cursor, count_type);
        let count = match (trailing, zero) {
            (false, Zero::LowestBit) => {
                let of = cursor.ins().bor_imm_u(of, 1);
                cursor.ins().clz(of)
            }
            (false, _) => cursor.ins().clz(of),
            (true, Zero::HighestBit) => {
                let high = iconst(cursor, count_type, i64::MIN >> (64 - width));
                let of = cursor.ins().bor(of, high);
                cursor.ins().ctz(of)
            }
            (true, Zero::LowestBit) => {
                let of = if facts.counts_zeros_of_words { of } else { resized(cursor, of, types::I64) };
                let count = cursor.ins().ctz(of);
                cursor.ins().band_imm_u(count, i64::from(width) - 1)
            }
            (true, _) if width == 32 && !facts.counts_zeros_of_words => {
                let of = cursor.ins().uextend(types::I64, of);
                let of = cursor.ins().bor_imm_u(of, 1 << 32);
                cursor.ins().ctz(of)
            }
            (true, _) => cursor.ins().ctz(of),
        };
        let count = resized(cursor, count, ty);
        let number = match (base, negative) {
            (0, false) => count,
            (_, false) => cursor.ins().iadd_imm_s(count, sign_extended(base, ty)),
            (_, true) => {
                let base = iconst(cursor, ty, base as i64);
                cursor.ins().isub(base, count)
            }
        };
        let Zero::Number(zero) = zero else { return number };
        let zero = iconst(cursor, ty, zero as i64);
        let is_zero = cursor.ins().icmp_imm_u(IntCC::Equal, of, 0);
        cursor.ins().select(is_zero, zero, number)
    }
}

impl Number {
    /// Inserts it, as a number of this type.
    fn insert(&self, cursor: &mut FuncCursor<'_>, ty: Type) -> Value {
        let mut value = self.of;
        if cursor.func.dfg.value_type(value).bits() < ty.bits() {
            value = cursor.ins().uextend(ty, value);
        }
        if let Some(mask) = self.mask {
            let mask = iconst(cursor, cursor.func.dfg.value_type(value), mask as i64);
            value = cursor.ins().band(value, mask);
        }
        value = match self.down {
            0 => value,
            down if down > 0 => cursor.ins().ushr_imm_u(value, i64::from(down)),
            down => cursor.ins().ishl_imm_u(value, i64::from(-down)),
        };
        resized(cursor, value, ty)
    }
}

/// A number of a type, with its sign.
fn sign_extended(number: u64, ty: Type) -> i64 {
    let unused = 64 - ty.bits();
    (number << unused) as i64 >> unused
}

/// The low bits of a value, or it zero-extended.
pub(super) fn resized(cursor: &mut FuncCursor<'_>, value: Value, ty: Type) -> Value {
    let bits = cursor.func.dfg.value_type(value).bits();
    match bits.cmp(&ty.bits()) {
        std::cmp::Ordering::Less => cursor.ins().uextend(ty, value),
        std::cmp::Ordering::Equal => value,
        std::cmp::Ordering::Greater => cursor.ins().ireduce(ty, value),
    }
}
