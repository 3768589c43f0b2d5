//! What several instructions do that the new code does by others.
//!
//! In: a position of the walk, at the first of these instructions in each code. Out: whether they do the same, and the position behind
//! both then.
//!
//! | Cranelift's code | the new code |
//! |---|---|
//! | a clamp of a table's index | a bounds check by a branch, if an index that is too large leads where the last entry does |
//! | a clamp of an index that is not too large, as an earlier branch says | nothing |
//! | a condition, set in a byte, which is extended | the same, set in a register that is 0 |

use super::same::do_the_same;
use super::side::Side;
use super::values::{self, FLAGS};
use super::walk::{Position, Walk};
use crate::x86::code::fragments::{Fragment, FragmentKind};
use crate::x86::steps::cleared_conditions::{extended_byte, set_byte};
use crate::x86::steps::jump_table_bounds::{self, NOT_BELOW, SEQUENCE};

impl<'a> Walk<'a> {
    /// Whether a condition that was set in a byte, which was extended, is now set in a register that is 0; then this advances behind
    /// both.
    pub(super) fn is_set_in_cleared(&mut self, at: &mut Position, before: &Fragment, after: &Fragment) -> bool {
        let [Some(was), Some(now)] = [self.before.bytes(before), self.after.bytes(after)].map(set_byte) else {
            return false;
        };
        let fragment = |side: &Side<'a>, index: usize| side.fragments.get(index).copied();
        let Some(extends) = fragment(&self.before, at.before + 1).filter(|_| !self.targets[at.before + 1]) else {
            return false;
        };
        let extends = self.before.bytes(&extends);
        let is_left = fragment(&self.after, at.after + 1)
            .is_some_and(|next| extended_byte(self.after.bytes(&next)).is_some_and(|(_, from)| from == now.1));
        let (to, numbers) = (usize::from(now.1), &mut at.numbers);
        if was.0 != now.0
            || extended_byte(extends) != Some((now.1, was.1))
            || is_left
            || numbers.0[FLAGS] != numbers.1[FLAGS]
            || numbers.1[to] != self.values.constant(0)
        {
            return false;
        }
        // The byte is left in Cranelift's code only.
        numbers.0[usize::from(was.1)] = self.values.fresh();
        numbers.0[to] = self.values.fresh();
        numbers.1[to] = numbers.0[to];
        (at.before, at.after) = (at.before + 2, at.after + 1);
        true
    }

    /// What is known behind a branch in both codes: the register of a comparison with a constant is below that.
    pub(super) fn learn_bound(&mut self, at: &mut Position) {
        let Some(compares) = at.before.checked_sub(1).filter(|_| !self.targets[at.before]) else { return };
        let compares = &self.before.fragments[compares];
        let code = &self.before.function.code;
        let bound = |register: usize| jump_table_bounds::bound(compares, code, register as u8);
        let found =
            values::registers(compares.effects.read).find_map(|register| Some((register, bound(register)?)));
        let Some((register, bound)) = found else { return };
        let (number, below) = (at.numbers.0[register], self.values.below(bound));
        let numbers = at.numbers.0.iter_mut().chain(&mut at.numbers.1);
        numbers.filter(|known| **known == number).for_each(|known| *known = below);
    }

    /// Whether this is a clamp of a table's index that an earlier branch has checked; then this advances behind it.
    pub(super) fn is_checked_already(&mut self, at: &mut Position) -> bool {
        let code = &self.before.function.code;
        let Some(check) = jump_table_bounds::BoundsCheck::read(self.before.fragments, code, at.before + SEQUENCE)
        else {
            return false;
        };
        let (from, to) = (usize::from(check.from), usize::from(check.to));
        let numbers = &mut at.numbers.0;
        if numbers[to] != self.values.constant(u64::from(check.entries))
            || !self.values.is_below(numbers[from], check.entries)
        {
            return false;
        }
        numbers[to] = numbers[from];
        numbers[FLAGS] = self.values.fresh();
        at.before += 2;
        true
    }

    /// Whether a clamp of a table's index is now a bounds check by a branch; then this advances behind both.
    pub(super) fn is_checked_by_branch(&mut self, at: &mut Position) -> bool {
        let table = at.before + SEQUENCE;
        let code = &self.before.function.code;
        let Some(check) = jump_table_bounds::BoundsCheck::read(self.before.fragments, code, table) else {
            return false;
        };
        let number = self.values.constant(u64::from(check.entries));
        let (from, to) = (usize::from(check.from), usize::from(check.to));
        let compares = jump_table_bounds::compare(check.is_64_bit, check.from, check.entries);
        let (Some(compares), Some([now, branch, ..])) = (compares, self.after.fragments.get(at.after..)) else {
            return false;
        };
        let last = self.before.fragments.get(table).and_then(|table| table.entries(code).last());
        let (FragmentKind::Branch { condition: Some(NOT_BELOW), to: beyond }, Some(last)) = (branch.kind, last)
        else {
            return false;
        };
        let is_same = at.numbers.0[from] == at.numbers.1[from] && at.numbers.0[to] == number;
        if !is_same || !do_the_same(compares.bytes(), self.after.bytes(now)) {
            return false;
        }
        // Nothing but the jump reads its temporaries.
        let address = self.before.fragments[at.before + 2].effects.written;
        let mut numbers = at.numbers.clone();
        for place in values::registers(address).chain([to, FLAGS]) {
            numbers.0[place] = self.values.fresh();
            numbers.1[place] = numbers.0[place];
        }
        self.push(self.before.target(last), self.after.target(beyond), numbers);
        at.numbers.0[to] = match check.is_64_bit {
            true => at.numbers.0[from],
            false => self.values.low_32_bits(at.numbers.0[from]),
        };
        at.numbers.0[FLAGS] = self.values.fresh();
        at.numbers.1[FLAGS] = at.numbers.0[FLAGS];
        (at.before, at.after) = (at.before + 2, at.after + 2);
        true
    }
}
