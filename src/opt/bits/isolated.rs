//! Values that say only where a number's lowest or highest one bit is.
//!
//! In: a function, a value, and how many bits of it matter. Out: an [`Isolated`]: the number, and which of these forms it has. Such a
//! value of `w` bits is one of `w + 1`, so what is computed from it is known by trying them all.
//!
//! | value | if bit `k` of `x` is the one | if `x` is 0 |
//! |---|---|---|
//! | `x & -x`, the lowest | `1 << k` | 0 |
//! | `~x & x - 1`, what is below it | `(1 << k) - 1` | all ones |
//! | `x ^ x - 1`, up to it | `(2 << k) - 1` | all ones |
//! | `x \| -x`, from it on | `-1 << k` | 0 |
//! | `x \| x >> 1 \| .. \| x >> w - 1`, up to the highest | `(2 << k) - 1` | 0 |
//! | the complement of one of these | its complement | its complement |
//!
//! The last but one is any sequence of shifts and ORs that comes to this (`rows.rs`). All are true of the low `w` bits of wider
//! values too, since nothing moves down in the others and this one looks at rows.

use cranelift_codegen::ir::{DataFlowGraph, Function, Opcode, Value, ValueDef};

use super::cone::{Cone, ones};
use super::rows::{JoinedBits, joined_bits};
use crate::opt::ir::operands::{binary_operands, constant, unary_operand};

/// How many conversions between 32 and 64 bits a value is looked through.
const MAX_COPIES: usize = 8;

/// Which bit of a number a value tells of, and in which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Lowest,
    BelowLowest,
    UpToLowest,
    FromLowest,
    UpToHighest,
}

/// What is known of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Isolated {
    /// The number.
    pub(super) number: Number,
    /// How many of its low bits it is of.
    pub(super) width: u32,
    form: Form,
    complemented: bool,
}

/// A number: a value, shifted right by some bits, or left by as many as are negative, and then those bits that were in the mask
/// before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number {
    /// The value.
    pub(super) of: Value,
    /// By how much it is shifted.
    pub(super) down: i32,
    /// The bits of the value that are kept; all, if none are named.
    pub(super) mask: Option<u64>,
}

impl Number {
    fn whole(of: Value) -> Number {
        Number { of, down: 0, mask: None }
    }
}

impl Isolated {
    /// What the low `width` bits of a value are, if they are one of the forms.
    pub(super) fn of(function: &Function, value: Value, width: u32) -> Option<Isolated> {
        let dfg = &function.dfg;
        if !matches!(width, 32 | 64) {
            return None;
        }
        let value = uncopied(dfg, value, width);
        let found = |value| match of_lowest(dfg, value, width) {
            Some((form, of)) => Some((form, Number::whole(uncopied(dfg, of, width)))),
            None => Some((Form::UpToHighest, up_to_highest(function, value, width)?)),
        };
        let (complemented, value) = match complement(dfg, value, width) {
            Some(inner) => (true, inner),
            None => (false, value),
        };
        let (form, number) = found(value)?;
        Some(Isolated { number, width, form, complemented })
    }

    /// That of one of the forms that tell of the lowest bit, which are found by a few instructions.
    pub(super) fn of_lowest(function: &Function, value: Value) -> Option<Isolated> {
        let dfg = &function.dfg;
        let width = dfg.value_type(value).bits();
        let (form, of) = of_lowest(dfg, value, width).filter(|_| matches!(width, 32 | 64))?;
        let number = Number::whole(uncopied(dfg, of, width));
        Some(Isolated { number, width, form, complemented: false })
    }

    /// Whether the bit is the lowest one; if not, it is the highest.
    pub(super) fn is_of_lowest(&self) -> bool {
        self.form != Form::UpToHighest
    }

    /// The value if this bit of the number is the one, or none is.
    pub(super) fn value(&self, bit: Option<u32>) -> u64 {
        let value = match (self.form, bit) {
            (Form::Lowest, Some(bit)) => 1 << bit,
            (Form::BelowLowest, Some(bit)) => (1 << bit) - 1,
            (Form::UpToLowest | Form::UpToHighest, Some(bit)) => ones(bit + 1),
            (Form::FromLowest, Some(bit)) => u64::MAX << bit,
            (Form::Lowest | Form::FromLowest | Form::UpToHighest, None) => 0,
            (Form::BelowLowest | Form::UpToLowest, None) => u64::MAX,
        };
        (if self.complemented { !value } else { value }) & ones(self.width)
    }
}

/// The value that the low `width` bits of this one are a copy of, as wide as that or wider.
pub(super) fn uncopied(dfg: &DataFlowGraph, value: Value, width: u32) -> Value {
    let mut value = dfg.resolve_aliases(value);
    for _ in 0..MAX_COPIES {
        let operand =
            unary_operand(dfg, value, Opcode::Ireduce).or_else(|| unary_operand(dfg, value, Opcode::Uextend));
        match operand {
            Some(operand) if dfg.value_type(operand).bits() >= width => value = operand,
            _ => break,
        }
    }
    value
}

/// The value whose complement the low `width` bits of this one are.
fn complement(dfg: &DataFlowGraph, value: Value, width: u32) -> Option<Value> {
    if let Some(inner) = unary_operand(dfg, value, Opcode::Bnot) {
        return Some(uncopied(dfg, inner, width));
    }
    let [left, right] = binary_operands(dfg, value, Opcode::Bxor)?;
    let is_ones = |value| constant(dfg, value).is_some_and(|number| number & ones(width) == ones(width));
    let inner = match (is_ones(left), is_ones(right)) {
        (_, true) => left,
        (true, _) => right,
        _ => return None,
    };
    Some(uncopied(dfg, inner, width))
}

/// The value whose negation the low `width` bits of this one are.
fn negated(dfg: &DataFlowGraph, value: Value, width: u32) -> Option<Value> {
    if let Some(inner) = unary_operand(dfg, value, Opcode::Ineg) {
        return Some(uncopied(dfg, inner, width));
    }
    let [left, right] = binary_operands(dfg, value, Opcode::Isub)?;
    let is_zero = constant(dfg, left).is_some_and(|number| number & ones(width) == 0);
    is_zero.then(|| uncopied(dfg, right, width))
}

/// The value that the low `width` bits of this one are one less than.
fn decremented(dfg: &DataFlowGraph, value: Value, width: u32) -> Option<Value> {
    let is =
        |value, number: u64| constant(dfg, value).is_some_and(|found| found & ones(width) == number & ones(width));
    let inner = match (binary_operands(dfg, value, Opcode::Iadd), binary_operands(dfg, value, Opcode::Isub)) {
        (Some([left, right]), _) if is(right, u64::MAX) => left,
        (Some([left, right]), _) if is(left, u64::MAX) => right,
        (_, Some([left, right])) if is(right, 1) => left,
        _ => return None,
    };
    Some(uncopied(dfg, inner, width))
}

/// The form that tells of the lowest bit, and of which number.
fn of_lowest(dfg: &DataFlowGraph, value: Value, width: u32) -> Option<(Form, Value)> {
    // `(x & -x) - 1` is what is below it too.
    if let Some(lowest) = decremented(dfg, value, width)
        && let Some((Form::Lowest, of)) = of_lowest_bits(dfg, lowest, width)
    {
        return Some((Form::BelowLowest, of));
    }
    of_lowest_bits(dfg, value, width)
}

/// That of two operands that are computed from the number.
fn of_lowest_bits(dfg: &DataFlowGraph, value: Value, width: u32) -> Option<(Form, Value)> {
    let operands = |wanted| Some(binary_operands(dfg, value, wanted)?.map(|operand| uncopied(dfg, operand, width)));
    let either =
        |[a, b]: [Value; 2], find: &dyn Fn(Value, Value) -> Option<Value>| find(a, b).or_else(|| find(b, a));
    let with_negation = |x, other| (negated(dfg, other, width) == Some(x)).then_some(x);
    let below = |inverse, less| {
        let x = complement(dfg, inverse, width)?;
        (decremented(dfg, less, width) == Some(x)).then_some(x)
    };
    let with_less = |x, less| (decremented(dfg, less, width) == Some(x)).then_some(x);
    if let Some(both) = operands(Opcode::Band) {
        let lowest = either(both, &with_negation).map(|x| (Form::Lowest, x));
        return lowest.or_else(|| Some((Form::BelowLowest, either(both, &below)?)));
    }
    if let Some(both) = operands(Opcode::Bxor) {
        return Some((Form::UpToLowest, either(both, &with_less)?));
    }
    Some((Form::FromLowest, either(operands(Opcode::Bor)?, &with_negation)?))
}

/// The number of whose highest bit the low `width` bits of this value tell.
fn up_to_highest(function: &Function, value: Value, width: u32) -> Option<Number> {
    let ValueDef::Result(inst, 0) = function.dfg.value_def(value) else { return None };
    // The first and cheapest condition: it is an OR of a value and of the same shifted.
    binary_operands(&function.dfg, value, Opcode::Bor)?;
    let cone = Cone::new(function, function.layout.inst_block(inst)?, value, |_| false);
    let JoinedBits { of, bits, rows, .. } = joined_bits(&cone, Opcode::Bor)?;
    let rows = &rows[..width as usize];
    // Bit `j` of the number is bit `j + down` of the value that it is computed from, if that is in the mask.
    let mask = rows[0];
    let dropped = rows.iter().position(|&row| row != mask)? as i32;
    let down = mask.trailing_zeros() as i32 + 1 - dropped;
    let from = |bit: i32| if bit < 64 { u64::MAX << bit.max(0) } else { 0 };
    let is_smeared = (0..).zip(rows).all(|(bit, &row)| row == mask & from(bit + down));
    // What is above the width is none of the number's.
    let is_within = mask & from(width as i32 + down) == 0;
    let shifted = if down < 0 { ones(width) >> -down } else { ones(width) << down };
    let mask = (mask != bits & shifted).then_some(mask);
    (is_smeared && is_within).then_some(Number { of, down, mask })
}
