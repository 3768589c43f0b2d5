//! What is known of a register's value: an interval, of numbers or of distances from a base address.
//!
//! In: the operations of instructions. Out: [`Range`]s that hold every value that the register can have then. The rules:
//!
//! - A sum with a base address is one; no other operation is.
//! - Where two paths meet, a value that is an address on one of them is a range above the lower one.
//! - **A counter does not wrap**: a value that grows in a loop by at most [`STEP`] each time stays below [`COUNTER`]
//!   plus that: at one step a nanosecond it takes 2 days to come near 2^60, where the difference would show.
//! - A value that falls in a loop, or grows faster, is unknown.

use crate::decode::insn::{AluOp, Size, Width};

/// Where a counter ends, for all that matters.
const COUNTER: i64 = 1 << 56;

/// The most that a counter may grow by in each round of a loop.
const STEP: i64 = 1 << 12;

/// An interval of numbers, or of distances from the base address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Whether it is one of distances from the base.
    pub is_address: bool,
    /// The least.
    pub low: i64,
    /// The greatest.
    pub high: i64,
}

impl Range {
    /// Any number that is no address.
    pub const ANY: Range = Range::number(i64::MIN, i64::MAX);

    /// A number from `low` to `high`.
    pub const fn number(low: i64, high: i64) -> Range {
        Range { is_address: false, low, high }
    }

    /// The address at `distance` from the base.
    pub const fn address(distance: i64) -> Range {
        Range { is_address: true, low: distance, high: distance }
    }

    /// A zero-extended value of this many bits.
    pub const fn bits(bits: u8) -> Range {
        match bits {
            0 => Range::number(0, 0),
            1..=63 => Range::number(0, i64::MAX >> (63 - bits)),
            _ => Range::ANY,
        }
    }

    /// The distance from the base, where there is one only.
    pub fn exact_address(self) -> Option<i64> {
        (self.is_address && self.low == self.high).then_some(self.low)
    }

    /// What holds the values of both.
    pub fn union(self, other: Range) -> Range {
        let is_address = self.is_address || other.is_address;
        let (low, high) = match (self.is_address, other.is_address) {
            // The number is no address of the base's object: only the address's reach matters.
            (true, false) => (self.low, i64::MAX),
            (false, true) => (other.low, i64::MAX),
            _ => (self.low.min(other.low), self.high.max(other.high)),
        };
        Range { is_address, low, high }
    }

    /// As [`Range::union`], for what has been seen to change some times: what still changes gives up, unless it counts.
    pub fn widened(self, other: Range) -> Range {
        let union = self.union(other);
        let low = if union.low < self.low { i64::MIN } else { union.low };
        let high = match union.high {
            high if high <= self.high => self.high,
            high if high <= COUNTER + STEP => COUNTER.max(self.high),
            _ => i64::MAX,
        };
        Range { low, high, ..union }
    }

    fn plus(self, other: Range) -> Range {
        let is_address = self.is_address || other.is_address;
        match (self.low.checked_add(other.low), self.high.checked_add(other.high)) {
            _ if self.is_address && other.is_address => Range { is_address, ..Range::ANY },
            (Some(low), Some(high)) => Range { is_address, low, high },
            // An unknown number may lead anywhere; one that only has no upper bound leads upwards.
            (Some(low), None) if is_address => Range { is_address, low, high: i64::MAX },
            _ => Range { is_address, ..Range::ANY },
        }
    }

    fn minus(self, other: Range) -> Range {
        match (self.is_address, other.is_address) {
            (true, true) => Range::ANY,
            (false, true) => Range { is_address: true, ..Range::ANY },
            _ => match (other.high.checked_neg(), other.low.checked_neg()) {
                (Some(low), Some(high)) => self.plus(Range::number(low, high)),
                _ => Range { is_address: self.is_address, ..Range::ANY },
            },
        }
    }

    const fn is_natural(self) -> bool {
        !self.is_address && self.low >= 0
    }

    fn constant(self) -> Option<i64> {
        (!self.is_address && self.low == self.high).then_some(self.low)
    }

    /// The value of an arithmetic instruction. None if it makes something of an address that is no longer known as one.
    pub fn alu(op: AluOp, width: Width, left: Range, right: Range) -> Option<Range> {
        if width == Width::W32 {
            let fits = |range: Range| range.is_natural() && range.high <= i64::from(u32::MAX);
            let part = |range: Range| if fits(range) { range } else { Range::bits(32) };
            if right.is_address || (left.is_address && op != AluOp::Mov) {
                return None;
            }
            let (left, right) = (part(left), part(right));
            // The operations that look at bit 31, or at less of the amount, than the wider ones do.
            let differs = match op {
                AluOp::Arsh => left.high > i64::from(i32::MAX) || right.high > 31,
                AluOp::Lsh | AluOp::Rsh => right.high > 31,
                _ => false,
            };
            return if differs { Some(Range::bits(32)) } else { Range::alu(op, Width::W64, left, right).map(part) };
        }
        match op {
            AluOp::Mov => return Some(right),
            AluOp::Add => return Some(left.plus(right)),
            AluOp::Sub => return Some(left.minus(right)),
            _ if left.is_address || right.is_address => return None,
            _ => {}
        }
        let amount = right.constant();
        let natural = left.is_natural() && right.is_natural();
        Some(match (op, amount) {
            (AluOp::And, _) if left.is_natural() || right.is_natural() => {
                let high = |range: Range| if range.is_natural() { range.high } else { i64::MAX };
                Range::number(0, high(left).min(high(right)))
            }
            (AluOp::Or | AluOp::Xor, _) if natural => {
                let bits = 64 - (left.high | right.high).leading_zeros();
                Range::bits(bits as u8)
            }
            (AluOp::Mul, _) if natural => match left.high.checked_mul(right.high) {
                Some(high) => Range::number(left.low * right.low, high),
                None => Range::ANY,
            },
            (AluOp::Lsh, Some(by @ 0..=62)) if left.is_natural() && left.high <= i64::MAX >> by => {
                Range::number(left.low << by, left.high << by)
            }
            (AluOp::Rsh, Some(by @ 0..=63)) if left.is_natural() => Range::number(left.low >> by, left.high >> by),
            (AluOp::Rsh, Some(by @ 1..=63)) => Range::bits(64 - by as u8),
            (AluOp::Arsh, Some(by @ 0..=63)) => Range::number(left.low >> by, left.high >> by),
            (AluOp::Div, _) if left.is_natural() && right.is_natural() => Range::number(0, left.high),
            (AluOp::Mod, Some(by)) if by > 0 => Range::number(0, by - 1),
            _ => Range::ANY,
        })
    }

    /// The value of a load, or of the sign extension of a part.
    pub fn part(size: Size, signed: bool) -> Range {
        match (size, signed) {
            (Size::D, _) => Range::ANY,
            (_, false) => Range::bits(size.bits()),
            (_, true) => Range::number(-(1 << (size.bits() - 1)), (1 << (size.bits() - 1)) - 1),
        }
    }
}
