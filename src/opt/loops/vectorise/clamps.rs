//! Clamps: the lesser and the greater of a number and two constants, in the ways in which compilers write them.
//!
//! In: a comparison and what is chosen by it. Out: one that is the lesser or the greater of two, where it was not seen to be that;
//! and what may be saturated before.

use cranelift_codegen::ir::condcodes::IntCC;

use super::nodes::{Compare, Kind, NodeId, Nodes};
use super::range::Range;
use super::selects::exact;

impl Nodes<'_> {
    /// The outer comparison of a clamp to what 16 signed bits hold: what is clamped may be saturated to that before.
    pub(super) fn saturated(&mut self, is_max: bool, compare: Compare, result: Range) -> Option<Compare> {
        let [clamped, border] = compare.operands;
        let Kind::Extreme { is_max: is_inner_max, compare: inner } = self.all[clamped].kind else {
            return Some(compare);
        };
        let [number, inner_border] = inner.operands;
        let from = self.all[number].range;
        let is_known = [border, inner_border].iter().all(|&node| self.all[node].range.fits_signed(16));
        if is_inner_max == is_max
            || !is_known
            || !result.fits_signed(16)
            || from.fits_signed(16)
            || !from.fits_signed(32)
        {
            return Some(compare);
        }
        let low = from.extreme(Range::signed(16), true);
        let number = self.add(Kind::Saturated(number), 32, low.extreme(Range::of(i128::from(i16::MAX)), false))?;
        let compare_inner = Compare { operands: [number, inner_border], ..inner };
        let range = self.all[number].range.extreme(self.all[inner_border].range, is_inner_max);
        let clamped = self.add(Kind::Extreme { is_max: is_inner_max, compare: compare_inner }, 32, range)?;
        Some(Compare { operands: [clamped, border], ..compare })
    }

    /// Compares what is chosen, and was clamped on one side, in place of the number itself, where the border is on the other side.
    pub(super) fn see_clamped(&self, code: IntCC, compare: &mut Compare, values: [NodeId; 2]) {
        let border = self.all[compare.operands[1]].range;
        for value in values {
            let Kind::Extreme { is_max, compare: inner } = self.all[value].kind else { continue };
            let limit = self.all[inner.operands[1]].range;
            let is_beyond = if is_max { limit.max < border.min } else { limit.min > border.max };
            let seen = [value, compare.operands[1]];
            if inner.operands[0] == compare.operands[0]
                && is_beyond
                && compare.is_exact
                && exact(code, seen.map(|node| self.all[node].range), compare.bits)
            {
                compare.operands = seen;
                return;
            }
        }
    }

    /// Compares with the constant that is chosen, where the border is the same: `x < c` is one between `c - 1` and `c`.
    pub(super) fn move_border(&self, code: IntCC, compare: &mut Compare, values: [NodeId; 2]) {
        let chosen = match values.iter().position(|&value| value == compare.operands[0]) {
            Some(place) => values[1 - place],
            None => return,
        };
        let known = |node: NodeId| {
            let range = self.all[node].range;
            (matches!(self.all[node].kind, Kind::Uniform(_)) && range.min == range.max).then_some(range.min)
        };
        let (Some(border), Some(constant)) = (known(compare.operands[1]), known(chosen)) else { return };
        let beside = match code.unsigned() {
            IntCC::UnsignedLessThan | IntCC::UnsignedGreaterThanOrEqual => border - 1,
            IntCC::UnsignedLessThanOrEqual | IntCC::UnsignedGreaterThan => border + 1,
            _ => return,
        };
        let moved = [compare.operands[0], chosen];
        if constant == beside && exact(code, moved.map(|node| self.all[node].range), compare.bits) {
            compare.operands = moved;
        }
    }
}
