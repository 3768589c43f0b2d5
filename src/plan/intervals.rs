//! Intervals: what is known of a register's value, as numbers and as distances from a base address.
//!
//! In: the operations of instructions. Out: [`Range`]s. The lattice: every value that a program computes from a base address by
//! sums is a multiple of it plus a number. A range has a part for each multiple.
//!
//! | part | holds | bottom | top |
//! |---|---|---|---|
//! | `number` | 0 times the base: what is the same wherever the base is | none | every number |
//! | `address` | once the base, by the distance from it | none | every distance |
//! | `is_other` | any other multiple, and what is not known to be any | no | yes, and then the other parts are top |
//!
//! Sound: each value that a register can have is in one of the parts. Distances and numbers are 64-bit integers that did not
//! wrap: where a sum could wrap, its interval is top. The rules:
//!
//! - Parts are added and subtracted pairwise: an address minus a number is an address, an address minus an address a number, a
//!   number minus an address and the sum of two addresses are other multiples, and so is what is computed from these. An
//!   operation other than a sum does not give an address that is known ([`Range::alu`] is none): there the address counts as
//!   escaped.
//! - Where two paths meet, each part is the union.
//! - **A counter does not wrap**: a value that grows in a loop by at most [`MAX_COUNTER_STEP`] per iteration stays below
//!   [`COUNTER_LIMIT`] plus that, or below twice, four times, ... that if it starts above: at one iteration per nanosecond it
//!   takes minutes for the longest steps to get there, a week for those of 8, and years to come near 2^60, where the difference
//!   would show.
//! - A value that decreases in a loop, or grows faster, is unknown.

use crate::decode::insn::{AluOp, Size, Width};

/// What a counter is assumed to stay below: about 2^52, and no number that a program has for another reason.
const COUNTER_LIMIT: i64 = (1 << 52) - 0x2e_b1d5_3c97;

/// The largest power-of-two multiple of that, for counters that start with a product of counters.
const MAX_COUNTER_LIMIT: i64 = COUNTER_LIMIT << 10;

/// The most that a counter may grow by per iteration.
const MAX_COUNTER_STEP: i64 = 1 << 12;

/// How far above an address in an object the object may extend: no address space is larger.
const MAX_OBJECT_BYTES: i64 = 1 << 57;

/// The numbers from `low` to `high`, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interval {
    low: i64,
    high: i64,
}

impl Interval {
    const ALL: Interval = Interval { low: i64::MIN, high: i64::MAX };

    fn hull(self, other: Interval) -> Interval {
        Interval { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// A union that reaches a fixed point quickly, for intervals that have changed several times.
    fn widened(self, other: Interval) -> Interval {
        let low = if other.low < self.low { i64::MIN } else { self.low };
        let high = if other.high <= self.high { self.high } else { counter_bound(self.high, other.high) };
        Interval { low, high }
    }

    fn plus(self, other: Interval) -> Interval {
        match (self.low.checked_add(other.low), self.high.checked_add(other.high)) {
            (Some(low), Some(high)) => Interval { low, high },
            _ => Interval::ALL,
        }
    }

    fn minus(self, other: Interval) -> Interval {
        match (self.low.checked_sub(other.high), self.high.checked_sub(other.low)) {
            (Some(low), Some(high)) => Interval { low, high },
            _ => Interval::ALL,
        }
    }
}

/// The upper bound of a value that was at most `before` and is at most `now`, which is more.
fn counter_bound(before: i64, now: i64) -> i64 {
    let mut end = COUNTER_LIMIT;
    loop {
        if now <= end {
            return end;
        }
        if now <= end + MAX_COUNTER_STEP {
            // It already is a counter, or a counter was added to it.
            return if before >= end { before } else { now };
        }
        if end == MAX_COUNTER_LIMIT {
            return i64::MAX;
        }
        end *= 2;
    }
}

/// The join of two parts, either of which may be bottom.
fn joined(
    left: Option<Interval>,
    right: Option<Interval>,
    join: impl Fn(Interval, Interval) -> Interval,
) -> Option<Interval> {
    match (left, right) {
        (Some(left), Some(right)) => Some(join(left, right)),
        _ => left.or(right),
    }
}

/// An operation on two parts; bottom if either is.
fn both(
    left: Option<Interval>,
    right: Option<Interval>,
    operation: impl Fn(Interval, Interval) -> Interval,
) -> Option<Interval> {
    left.zip(right).map(|(left, right)| operation(left, right))
}

/// An element of the lattice above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    number: Option<Interval>,
    address: Option<Interval>,
    is_other: bool,
}

impl Range {
    /// Any number that does not depend on the base.
    pub const ANY: Range = Range::number(i64::MIN, i64::MAX);

    /// Anything, computed from the base in whatever way.
    pub const UNKNOWN: Range = Range { number: Some(Interval::ALL), address: Some(Interval::ALL), is_other: true };

    /// A number from `low` to `high`.
    pub const fn number(low: i64, high: i64) -> Range {
        Range { number: Some(Interval { low, high }), address: None, is_other: false }
    }

    /// The address at `distance` from the base.
    pub const fn address(distance: i64) -> Range {
        let address = Interval { low: distance, high: distance };
        Range { number: None, address: Some(address), is_other: false }
    }

    /// A zero-extended value of this many bits.
    pub const fn bits(bits: u8) -> Range {
        match bits {
            0 => Range::number(0, 0),
            1..=63 => Range::number(0, i64::MAX >> (63 - bits)),
            _ => Range::ANY,
        }
    }

    /// Whether it may be an address.
    pub const fn may_be_address(self) -> bool {
        self.address.is_some()
    }

    /// The lowest distance from the base, if it may be an address.
    pub fn lowest_address(self) -> Option<i64> {
        self.address.map(|address| address.low)
    }

    /// The distance from the base, if there is only one.
    pub fn exact_address(self) -> Option<i64> {
        match self {
            Range { number: None, address: Some(Interval { low, high }), .. } if low == high => Some(low),
            _ => None,
        }
    }

    /// For an address in an object: that address, those above it in the object, or any number.
    pub fn and_above(self) -> Range {
        let above = |address: Interval| Interval { high: address.high.saturating_add(MAX_OBJECT_BYTES), ..address };
        Range { number: Some(Interval::ALL), address: self.address.map(above), ..self }
    }

    /// The values of both.
    pub fn union(self, other: Range) -> Range {
        Range {
            number: joined(self.number, other.number, Interval::hull),
            address: joined(self.address, other.address, Interval::hull),
            is_other: self.is_other || other.is_other,
        }
    }

    /// As [`Range::union`], for a range that has changed several times: an interval that still grows becomes unbounded, unless it
    /// is a counter.
    pub fn widened(self, other: Range) -> Range {
        Range {
            number: joined(self.number, other.number, Interval::widened),
            address: joined(self.address, other.address, Interval::widened),
            is_other: self.is_other || other.is_other,
        }
    }

    fn plus(self, other: Range) -> Range {
        if self.is_other || other.is_other || (self.may_be_address() && other.may_be_address()) {
            return Range::UNKNOWN;
        }
        let left = both(self.address, other.number, Interval::plus);
        let right = both(self.number, other.address, Interval::plus);
        Range {
            number: both(self.number, other.number, Interval::plus),
            address: joined(left, right, Interval::hull),
            is_other: false,
        }
    }

    fn minus(self, other: Range) -> Range {
        if self.is_other || other.is_other || (self.number.is_some() && other.may_be_address()) {
            return Range::UNKNOWN;
        }
        let numbers = both(self.number, other.number, Interval::minus);
        let distances = both(self.address, other.address, Interval::minus);
        Range {
            number: joined(numbers, distances, Interval::hull),
            address: both(self.address, other.number, Interval::minus),
            is_other: false,
        }
    }

    /// The interval of a value that is a number only.
    fn as_number(self) -> Option<Interval> {
        if self.may_be_address() { None } else { self.number }
    }

    /// Whether it is a number from 0 to `most`.
    pub fn is_number_up_to(self, most: i64) -> bool {
        self.as_number().is_some_and(|number| number.low >= 0 && number.high <= most)
    }

    /// The greatest number, of a value that is a number only.
    pub fn greatest_number(self) -> i64 {
        self.as_number().map_or(i64::MAX, |number| number.high)
    }

    /// The result of an arithmetic instruction; none if an operand may be an address and the result is not known as one.
    pub fn alu(op: AluOp, width: Width, left: Range, right: Range) -> Option<Range> {
        if width == Width::W32 {
            let part = |range: Range| if range.is_number_up_to(u32::MAX.into()) { range } else { Range::bits(32) };
            if right.may_be_address() || (left.may_be_address() && op != AluOp::Mov) {
                return None;
            }
            let (left, right) = (part(left), part(right));
            // The 32-bit operations that differ from the 64-bit ones for such numbers: by bit 31, or by the bits of the amount.
            let differs = match op {
                AluOp::Arsh => !left.is_number_up_to(i32::MAX.into()) || !right.is_number_up_to(31),
                AluOp::Lsh | AluOp::Rsh => !right.is_number_up_to(31),
                _ => false,
            };
            return if differs { Some(Range::bits(32)) } else { Range::alu(op, Width::W64, left, right).map(part) };
        }
        match op {
            AluOp::Mov => return Some(right),
            AluOp::Add => return Some(left.plus(right)),
            AluOp::Sub => return Some(left.minus(right)),
            _ => {}
        }
        Some(arithmetic(op, left.as_number()?, right.as_number()?))
    }

    /// The result of a load, or of a sign extension.
    pub fn part(size: Size, signed: bool) -> Range {
        match (size, signed) {
            (Size::D, _) => Range::ANY,
            (_, false) => Range::bits(size.bits()),
            (_, true) => Range::number(-(1 << (size.bits() - 1)), (1 << (size.bits() - 1)) - 1),
        }
    }
}

/// The result of an operation on numbers.
fn arithmetic(op: AluOp, left: Interval, right: Interval) -> Range {
    let amount = (right.low == right.high).then_some(right.low);
    let is_non_negative = |number: Interval| number.low >= 0;
    let both_non_negative = is_non_negative(left) && is_non_negative(right);
    match (op, amount) {
        (AluOp::And, _) if is_non_negative(left) || is_non_negative(right) => {
            let high = |number: Interval| if is_non_negative(number) { number.high } else { i64::MAX };
            Range::number(0, high(left).min(high(right)))
        }
        (AluOp::Or | AluOp::Xor, _) if both_non_negative => {
            let bits = 64 - (left.high | right.high).leading_zeros();
            Range::bits(bits as u8)
        }
        (AluOp::Mul, _) if both_non_negative => match left.high.checked_mul(right.high) {
            Some(high) => Range::number(left.low * right.low, high),
            None => Range::ANY,
        },
        (AluOp::Lsh, Some(by @ 0..=62)) if is_non_negative(left) && left.high <= i64::MAX >> by => {
            Range::number(left.low << by, left.high << by)
        }
        (AluOp::Rsh, Some(by @ 0..=63)) if is_non_negative(left) => Range::number(left.low >> by, left.high >> by),
        (AluOp::Rsh, Some(by @ 1..=63)) => Range::bits(64 - by as u8),
        (AluOp::Arsh, Some(by @ 0..=63)) => Range::number(left.low >> by, left.high >> by),
        (AluOp::Div, _) if both_non_negative => Range::number(0, left.high),
        (AluOp::Mod, Some(by)) if by > 0 => Range::number(0, by - 1),
        _ => Range::ANY,
    }
}
