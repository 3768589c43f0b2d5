//! Cranelift's code and the new code, walked side by side along all branches: whether they do the same.
//!
//! In: a listing before and after. Out: the first difference.
//!
//! | | |
//! |---|---|
//! | what only computes, and jumps | is executed on either side on its own, on terms (`terms.rs`) |
//! | accesses of memory, calls, returns, traps | the same in the same order, of the same terms; what they write is one new term on both sides |
//! | branches | on the same condition of the same term, or on the opposite one with successors exchanged |
//! | jump tables | entry by entry |
//! | instructions with relocations, and those that are not known | the same in the same slot |
//!
//! What is known at a target of branches is what all paths to it have in common, and what the new code computes in front of the loop that
//! it is in, which all paths have to keep. The rule: each instruction is visited
//! [`MAX_VISITS`] times at most, on average.

use std::collections::HashMap;

use super::accesses::Access;
use super::classes::{Classes, meet};
use super::terms::{CONDITIONS, State, Terms};
use crate::aarch64::code::fields::bits;
use crate::aarch64::code::instruction::{Branch, Instruction, Kind, field};
use crate::aarch64::code::listing::{Content, Invariant, Listing};
use crate::aarch64::code::registers::{ALL, AT_RETURN, RegisterSet};

/// How often instructions may be visited, on average.
const MAX_VISITS: usize = 64;

/// Why the new code is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mismatch {
    /// There are these slots before and after, where something is different.
    Different(usize, usize, &'static str),
    /// The function is too complex for the check.
    Effort,
    /// The bytes are not what was to be written.
    Written,
}

/// A position in both codes, and what the registers hold there.
#[derive(Clone, Copy)]
struct Position {
    slots: [usize; 2],
    states: [State; 2],
}

pub(super) struct Walk<'a> {
    /// Before and after.
    listings: [&'a Listing; 2],
    /// Whether branches lead to a slot of Cranelift's code.
    targets: Vec<bool>,
    /// What the new code computes in front of loops, outer ones first.
    invariants: Vec<&'a Invariant>,
    terms: Terms,
    /// What all paths that were walked to a target have in common.
    known: HashMap<usize, Classes>,
    open: Vec<usize>,
    left: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(before: &'a Listing, after: &'a Listing) -> Walk<'a> {
        let mut targets = vec![false; before.slots.len()];
        for slot in &before.slots {
            if let Content::Instruction { to: Some(to), .. } | Content::TableEntry { to, .. } = slot.content
                && let Some(target) = targets.get_mut(to as usize)
            {
                *target = true;
            }
        }
        let mut invariants: Vec<&Invariant> = after.invariants.iter().collect();
        invariants.sort_by_key(|found| std::cmp::Reverse(found.slots.len()));
        let left = MAX_VISITS * (before.slots.len() + 16);
        Walk {
            listings: [before, after],
            targets,
            invariants,
            terms: Terms::default(),
            known: HashMap::new(),
            open: Vec::new(),
            left,
        }
    }

    pub(super) fn run(&mut self) -> Result<(), Mismatch> {
        let state = std::array::from_fn(|_| self.terms.unknown(64));
        let mut at = Position { slots: [0, 0], states: [state, state] };
        if self.targets.first() == Some(&true) {
            self.join(at)?;
        } else {
            while self.advance(&mut at)? {}
        }
        while let Some(target) = self.open.pop() {
            let Some(classes) = self.known.get(&target) else { continue };
            let mut states = classes.start(&mut self.terms);
            for invariant in self.invariants.iter().filter(|found| found.slots.contains(&target)) {
                let Some(dest) = invariant.instruction.dest.map(usize::from) else { continue };
                let was = states[1][dest];
                self.terms.execute(&mut states[1], &invariant.instruction);
                let is = states[1][dest];
                states.iter_mut().flatten().filter(|term| **term == was).for_each(|term| *term = is);
            }
            let place = self.listings[1].next(target).unwrap_or(usize::MAX);
            let mut at = Position { slots: [target, place], states };
            let mut is_first = true;
            loop {
                if !is_first && self.targets.get(at.slots[0]) == Some(&true) {
                    self.join(at)?;
                    break;
                }
                is_first = false;
                if !self.advance_one(&mut at)? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Advances until a target, which ends the path.
    fn advance(&mut self, at: &mut Position) -> Result<bool, Mismatch> {
        if self.targets.get(at.slots[0]) == Some(&true) {
            self.join(*at)?;
            return Ok(false);
        }
        self.advance_one(at)
    }

    /// Advances behind an instruction of Cranelift's code, and behind that of the new code if the two have to be the same; says whether
    /// the path goes on.
    fn advance_one(&mut self, at: &mut Position) -> Result<bool, Mismatch> {
        if self.executes(0, at)? {
            return Ok(true);
        }
        while self.executes(1, at)? {}
        self.compare(at)
    }

    /// Executes an instruction that only computes, or a jump, on one side.
    fn executes(&mut self, side: usize, at: &mut Position) -> Result<bool, Mismatch> {
        self.left = self.left.checked_sub(1).ok_or(Mismatch::Effort)?;
        let slot = at.slots[side];
        let listing = self.listings[side];
        match listing.slots.get(slot).map(|slot| slot.content) {
            Some(Content::Gone) => at.slots[side] += 1,
            Some(Content::Instruction { instruction, is_relocated: false, .. }) => match instruction.kind {
                Kind::Plain(_) => {
                    self.terms.execute(&mut at.states[side], &instruction);
                    at.slots[side] += 1;
                }
                Kind::Branch(Branch::Always, _) => {
                    at.slots[side] = listing.target(slot).unwrap_or(usize::MAX);
                }
                _ => return Ok(false),
            },
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Meets what is known at a target, where the new code has to come to the same place.
    fn join(&mut self, mut at: Position) -> Result<(), Mismatch> {
        let target = at.slots[0];
        let place = self.listings[1].next(target);
        while self.listings[1].next(at.slots[1]) != place {
            if !self.executes(1, &mut at)? {
                return Err(Mismatch::Different(target, at.slots[1], "another place"));
            }
        }
        for invariant in self.invariants.iter().filter(|found| found.slots.contains(&target)) {
            let mut computed = at.states[1];
            self.terms.execute(&mut computed, &invariant.instruction);
            if computed != at.states[1] {
                return Err(Mismatch::Different(target, at.slots[1], "no loop invariant"));
            }
        }
        let classes = Classes::new(&self.terms, &at.states);
        let met = match self.known.get(&target) {
            None => classes,
            Some(known) => {
                let met = meet(known, &classes);
                if met == *known {
                    return Ok(());
                }
                met
            }
        };
        self.known.insert(target, met);
        self.open.push(target);
        Ok(())
    }

    /// Compares two instructions that have to do the same, and goes on behind them.
    fn compare(&mut self, at: &mut Position) -> Result<bool, Mismatch> {
        let [before, after] = at.slots;
        let wrong = |what| Mismatch::Different(before, after, what);
        let both = [0, 1].map(|side| self.listings[side].slots.get(at.slots[side]).map(|slot| slot.content));
        let [Some(first), Some(second)] = both else { return Err(wrong("it ends")) };
        let (
            Content::Instruction { instruction: one, to: one_to, is_relocated },
            Content::Instruction { instruction: other, to: other_to, is_relocated: is_other_relocated },
        ) = (first, second)
        else {
            return Err(wrong("no instructions"));
        };
        if is_relocated != is_other_relocated || (is_relocated && before != after) {
            return Err(wrong("a relocation"));
        }
        let is_same_kind = std::mem::discriminant(&one.kind) == std::mem::discriminant(&other.kind);
        if !is_same_kind {
            return Err(wrong("another instruction"));
        }
        match one.kind {
            Kind::Branch(..) => return self.branch(at, (&one, &other)),
            Kind::Load { .. } | Kind::Store if !is_relocated => self.access(at, (&one, &other))?,
            Kind::PcRelative(_) => {
                if one_to != other_to || one.word & 0x9f00_0000 != other.word & 0x9f00_0000 {
                    return Err(wrong("an address"));
                }
                let made = self.terms.unknown(64);
                for (state, instruction) in at.states.iter_mut().zip([&one, &other]) {
                    instruction.dest.into_iter().for_each(|dest| state[usize::from(dest)] = made);
                }
            }
            _ => self.same(at, (&one, &other), is_relocated)?,
        }
        if let Kind::Jump = one.kind {
            self.table(at)?;
        }
        if !one.falls_through() {
            return Ok(false);
        }
        at.slots = at.slots.map(|slot| slot + 1);
        Ok(true)
    }

    /// Of a table behind a jump, each entry leads to the same.
    fn table(&mut self, at: &Position) -> Result<(), Mismatch> {
        let entries = |side: usize| {
            self.listings[side].slots.iter().skip(at.slots[side] + 1).map_while(|slot| match slot.content {
                Content::TableEntry { to, .. } => Some(to as usize),
                _ => None,
            })
        };
        let (first, second): (Vec<usize>, Vec<usize>) = (entries(0).collect(), entries(1).collect());
        if first != second {
            return Err(Mismatch::Different(at.slots[0], at.slots[1], "a jump table"));
        }
        first.into_iter().try_for_each(|to| self.join(Position { slots: [to, to], ..*at }))
    }

    /// Two instructions that are the same but for the register fields of what they read, which have to hold the same.
    fn same(
        &mut self,
        at: &mut Position,
        (one, other): (&Instruction, &Instruction),
        is_relocated: bool,
    ) -> Result<(), Mismatch> {
        let wrong = |what| Err(Mismatch::Different(at.slots[0], at.slots[1], what));
        let cleared = |instruction: &Instruction| {
            instruction.sources.iter().fold(instruction.word, |word, field| field.with(word, 0))
        };
        if cleared(one) != cleared(other) || one.writes != other.writes || (is_relocated && one.word != other.word)
        {
            return wrong("another instruction");
        }
        for (field, in_other) in one.sources.iter().zip(&*other.sources) {
            let first = self.terms.register(&at.states[0], field.of(one.word), field.has_zero, field.wide);
            let second = self.terms.register(&at.states[1], in_other.of(other.word), field.has_zero, field.wide);
            if first != second {
                return wrong("another source");
            }
        }
        let by_fields = |instruction: &Instruction| {
            instruction.sources.iter().fold(0, |set: RegisterSet, field| set | 1 << field.of(instruction.word))
        };
        let is_table = self.listings[0].is_table(at.slots[0] + 1);
        let read = match one.kind {
            Kind::Jump if is_table => 0,
            Kind::Jump => ALL,
            Kind::Return => AT_RETURN | self.listings[0].calls.results,
            Kind::Call => one.reads & !by_fields(one) | self.listings[0].calls.arguments,
            _ => one.reads & !by_fields(one),
        };
        for index in indexes(read) {
            if at.states[0][index] != at.states[1][index] {
                return wrong("another register");
            }
        }
        for index in indexes(one.writes) {
            let is_dest = one.dest.is_some_and(|dest| usize::from(dest) == index);
            let made = self.terms.unknown(if is_dest { one.result_bits() } else { 64 });
            at.states.iter_mut().for_each(|state| state[index] = made);
        }
        Ok(())
    }

    /// Two accesses of the same address, of the same or to the same.
    fn access(&mut self, at: &mut Position, (one, other): (&Instruction, &Instruction)) -> Result<(), Mismatch> {
        let wrong = |what| Err(Mismatch::Different(at.slots[0], at.slots[1], what));
        let first = Access::of(&mut self.terms, &mut at.states[0], one);
        let second = Access::of(&mut self.terms, &mut at.states[1], other);
        if first != second {
            return wrong("another access");
        }
        if let Kind::Load { bits } = one.kind {
            let width = if bits == 0 { 64 } else { bits };
            for at_field in first.loads {
                let made = self.terms.unknown(width);
                for (state, instruction) in at.states.iter_mut().zip([one, other]) {
                    let number = field(instruction.word, at_field);
                    if number < 31 {
                        state[usize::from(number)] = made;
                    }
                }
            }
        }
        Ok(())
    }

    /// Two branches on one condition.
    fn branch(&mut self, at: &mut Position, (one, other): (&Instruction, &Instruction)) -> Result<bool, Mismatch> {
        let wrong = |what| Err(Mismatch::Different(at.slots[0], at.slots[1], what));
        let (Kind::Branch(kind, _), Kind::Branch(in_other, _)) = (one.kind, other.kind) else {
            return wrong("no branches");
        };
        let mut tested = |state: &State, instruction: &Instruction| match kind {
            Branch::Flags => (state[CONDITIONS], bits(instruction.word, 1, 3)),
            Branch::Zero => (self.terms.register(state, field(instruction.word, 0), true, instruction.wide), 0),
            // The bit's number; a bit of the low half is one of the whole register.
            _ => {
                let bit = bits(instruction.word, 19, 5) | bits(instruction.word, 31, 1) << 5;
                (self.terms.register(state, field(instruction.word, 0), true, instruction.wide), bit)
            }
        };
        if kind != in_other || tested(&at.states[0], one) != tested(&at.states[1], other) {
            return wrong("another condition");
        }
        let sense =
            |instruction: &Instruction| bits(instruction.word, if kind == Branch::Flags { 0 } else { 24 }, 1);
        let is_inverted = sense(one) != sense(other);
        let targets = [0, 1].map(|side| self.listings[side].target(at.slots[side]));
        let [Some(first), Some(second)] = targets else { return wrong("no target") };
        let [before, after] = at.slots.map(|slot| slot + 1);
        let (taken, falls) = if is_inverted { (after, second) } else { (second, after) };
        self.join(Position { slots: [first, taken], ..*at })?;
        at.slots = [before, falls];
        Ok(true)
    }
}

/// The indexes of a set of registers in a state.
fn indexes(set: RegisterSet) -> impl Iterator<Item = usize> {
    (0..super::terms::COUNT).filter(move |&index| set >> index & 1 != 0)
}
