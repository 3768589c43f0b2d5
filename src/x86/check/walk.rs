//! Cranelift's code and the new code, walked side by side from the start along all branches: whether they do the same.
//!
//! In: a function before and after, as fragments ([`Side`]), and where each fragment is now. Out: the first difference.
//!
//! | | |
//! |---|---|
//! | instructions | the same in the same order, however they are encoded, but for those below |
//! | jumps, `nop`s | are passed over |
//! | moves | are not compared; but what an instruction, a call or a `ret` may read must hold the same value in both (`values.rs`) |
//! | spills and reloads | where the new code has others, they are moves, from and to slots |
//! | operands that are only read | may be elsewhere: in another register, or in a spill slot, that holds the same value |
//! | branches | on the same condition of the same flags, or on the opposite one with successors exchanged |
//! | jump tables | entry by entry |
//! | bounds checks of tables, conditions as numbers | may be done otherwise (`idioms.rs`) |
//! | relocations | of the same kind, to the same place, in the same byte of the instruction |
//! | addresses | of the same constant, or the same jump table |
//! | what sets up a frame | is passed over in a function with a new frame: `frames.rs` follows that |
//!
//! What is known at a target of branches is what all its predecessors have in common. The rule: each instruction is visited
//! [`MAX_VISITS`] times at most, on average.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::frames;
use super::mismatch::Mismatch;
use super::same::{Elsewhere, do_the_same, reads_elsewhere};
use super::side::{Side, has_one_name};
use super::values::{self, Classes, FLAGS, Move, SLOTS, ValueNumbers, Values};
use crate::codegen::compiled::CompiledFunction;
use crate::x86::code::abi::{ARGUMENTS, CALLEE_SAVED, RBP, RESULTS, RSP, RegisterSet};
use crate::x86::code::effects::{Effects, Flags, Transfer};
use crate::x86::code::fragments::{Fragment, FragmentKind, Fragments};
use crate::x86::code::spill_slots::SpillSlots;
use crate::x86::steps::frame::CraneliftFrame;
use crate::x86::steps::jump_table_bounds::NOT_BELOW;

/// How often instructions may be visited, on average.
const MAX_VISITS: usize = 64;

/// A position in both codes, and what is known there.
pub(super) struct Position {
    pub(super) before: usize,
    pub(super) after: usize,
    pub(super) numbers: (ValueNumbers, ValueNumbers),
    /// Whether what is known here was taken from [`Walk::known`] already.
    is_start: bool,
}

/// The walk.
pub(crate) struct Walk<'a> {
    pub(super) before: Side<'a>,
    pub(super) after: Side<'a>,
    /// Where each fragment is now.
    places: Vec<Option<usize>>,
    /// Whether branches lead to a fragment of Cranelift's code.
    pub(super) targets: Vec<bool>,
    /// Cranelift's frame, in a function that has a new one.
    frame: Option<CraneliftFrame>,
    /// The spill slots, in a function that has other spills and reloads.
    slots: Option<SpillSlots>,
    pub(super) values: Values,
    /// What all paths that were walked to a position have in common.
    known: HashMap<(usize, usize), Classes>,
    open: Vec<Position>,
    left: usize,
}

impl<'a> Walk<'a> {
    /// Of a function before and after; `places` says where each fragment is now, `frame` is Cranelift's if there is a new one, and
    /// `slots` are those of spills and reloads that are to be followed.
    pub(crate) fn new(
        (function, before): (&'a CompiledFunction, &'a Fragments),
        (made, after): (&'a CompiledFunction, &'a Fragments),
        places: Vec<Option<usize>>,
        frame: Option<CraneliftFrame>,
        slots: Option<SpillSlots>,
    ) -> Walk<'a> {
        let before = Side::new(function, before);
        let targets = before.targets();
        let visits = MAX_VISITS * (before.fragments.len() + after.len());
        Walk {
            before,
            after: Side::new(made, after),
            places,
            targets,
            frame,
            slots,
            values: Values::default(),
            known: HashMap::new(),
            open: Vec::new(),
            left: visits,
        }
    }

    /// Walks.
    pub(crate) fn run(&mut self) -> Result<(), Mismatch> {
        let slots = self.slots.as_ref().map_or(0, SpillSlots::count);
        let numbers = self.values.start(&Classes::at_start(slots));
        self.open.push(Position { before: 0, after: 0, numbers, is_start: self.targets.first() == Some(&false) });
        while let Some(mut at) = self.open.pop() {
            if at.is_start
                && let Some(classes) = self.known.get(&(at.before, at.after))
            {
                at.numbers = self.values.start(classes);
            }
            while self.advance(&mut at)? {}
        }
        Ok(())
    }

    fn wrong(&self, at: &Position, what: &'static str) -> Mismatch {
        let place =
            |side: &Side<'_>, index: usize| side.fragments.get(index).map_or(u32::MAX, |fragment| fragment.start);
        Mismatch::Different(place(&self.before, at.before), place(&self.after, at.after), what)
    }

    /// Advances behind the next instruction that is compared, and says whether the path goes on.
    fn advance(&mut self, at: &mut Position) -> Result<bool, Mismatch> {
        loop {
            let is_target = self.targets.get(at.before).ok_or_else(|| self.wrong(at, "it ends"))?;
            if *is_target && !at.is_start {
                self.meet(at)?;
                return Ok(false);
            }
            at.is_start = false;
            match self.pass(false, at.before, &mut at.numbers.0)? {
                Some(next) => at.before = next,
                None => break,
            }
        }
        while let Some(next) = self.pass(true, at.after, &mut at.numbers.1)? {
            at.after = next;
        }
        self.step(at)
    }

    /// Passes over what is not compared.
    fn pass(
        &mut self,
        is_after: bool,
        index: usize,
        numbers: &mut ValueNumbers,
    ) -> Result<Option<usize>, Mismatch> {
        self.left = self.left.checked_sub(1).ok_or(Mismatch::Effort)?;
        let side = if is_after { &self.after } else { &self.before };
        let Some(fragment) = side.fragments.get(index) else { return Ok(None) };
        if let FragmentKind::Branch { condition: None, to } = fragment.kind {
            return Ok(Some(side.target(to)));
        }
        let bytes = side.bytes(fragment);
        let is_of_frame = match &self.frame {
            Some(_) if is_after => frames::is_of_frame(fragment, bytes),
            Some(frame) => frame.is_part(index),
            None => false,
        };
        if is_of_frame {
            for register in values::registers(fragment.effects.written & !(CALLEE_SAVED | 1 << RSP | 1 << RBP)) {
                numbers[register] = self.values.fresh();
            }
            return Ok(Some(index + 1));
        }
        if is_nop(bytes) {
            return Ok(Some(index + 1));
        }
        let Some(moved) = Move::read(fragment, &side.function.code, self.slots.as_ref()) else { return Ok(None) };
        self.values.run(moved, numbers);
        Ok(Some(index + 1))
    }

    /// A target of branches: what is known there is what all paths to it have in common.
    fn meet(&mut self, at: &mut Position) -> Result<(), Mismatch> {
        self.catch_up(at)?;
        let classes = self.values.classes(&at.numbers.0, &at.numbers.1);
        let is_new = match self.known.entry((at.before, at.after)) {
            Entry::Vacant(entry) => {
                entry.insert(classes);
                true
            }
            Entry::Occupied(mut entry) => {
                let common = values::common(entry.get(), &classes);
                let is_other = *entry.get() != common;
                entry.insert(common);
                is_other
            }
        };
        if is_new {
            let numbers = at.numbers.clone();
            self.open.push(Position { before: at.before, after: at.after, numbers, is_start: true });
        }
        Ok(())
    }

    /// Passes over moves in the new code up to where the target is now, or, in a copy, as far as makes the most registers hold
    /// the same.
    fn catch_up(&mut self, at: &mut Position) -> Result<(), Mismatch> {
        let is_same =
            |numbers: &ValueNumbers| numbers.iter().zip(&at.numbers.0).filter(|(now, was)| now == was).count();
        let (mut index, mut numbers) = (at.after, at.numbers.1.clone());
        let mut best = (is_same(&numbers), index, numbers.clone());
        while Some(index) != self.places[at.before] {
            let Some(next) = self.pass(true, index, &mut numbers)? else {
                (at.after, at.numbers.1) = (best.1, best.2);
                return Ok(());
            };
            index = next;
            if is_same(&numbers) > best.0 {
                best = (is_same(&numbers), index, numbers.clone());
            }
        }
        (at.after, at.numbers.1) = (index, numbers);
        Ok(())
    }

    pub(super) fn push(&mut self, before: usize, after: usize, numbers: (ValueNumbers, ValueNumbers)) {
        self.open.push(Position { before, after, numbers, is_start: false });
    }

    /// Compares an instruction, and advances behind it.
    fn step(&mut self, at: &mut Position) -> Result<bool, Mismatch> {
        let (before, mut after) = match (self.before.fragments.get(at.before), self.after.fragments.get(at.after)) {
            (Some(before), Some(after)) if !before.is_data() && !after.is_data() => (*before, *after),
            _ => return Err(self.wrong(at, "one ends")),
        };
        if let (FragmentKind::Branch { condition: one, to }, FragmentKind::Branch { condition: other, to: now }) =
            (before.kind, after.kind)
        {
            if at.numbers.0[FLAGS] != at.numbers.1[FLAGS] {
                return Err(self.wrong(at, "flags of a branch"));
            }
            let (taken, mut now) = (self.before.target(to), [self.after.target(now), at.after + 1]);
            if one != other {
                now.reverse();
                if one.map(|condition| condition ^ 1) != other {
                    return Err(self.wrong(at, "conditions"));
                }
            }
            self.push(taken, now[0], at.numbers.clone());
            if one == Some(NOT_BELOW) {
                self.learn_bound(at);
            }
            (at.before, at.after) = (at.before + 1, now[1]);
            return Ok(true);
        }
        if self.is_set_in_cleared(at, &before, &after) {
            return Ok(true);
        }
        let mut effects = before.effects;
        if !self.is_same(&before, &after) {
            if self.is_checked_by_branch(at) || self.is_checked_already(at) {
                return Ok(true);
            }
            if !self.reads_the_same_elsewhere(at, &before, &after) {
                return Err(self.wrong(at, "instructions"));
            }
            // The operand that is elsewhere was compared; the others are in the same registers.
            effects.read &= after.effects.read;
            after.effects.read = effects.read;
        }
        self.run_both(at, effects, after.effects)?;
        match before.effects.transfer {
            Transfer::Trap | Transfer::Return => return Ok(false),
            Transfer::Elsewhere => {
                self.push_table_targets(at)?;
                return Ok(false);
            }
            Transfer::Next | Transfer::Call => {}
        }
        (at.before, at.after) = (at.before + 1, at.after + 1);
        Ok(true)
    }

    /// Whether two instructions that are no branches do the same.
    fn is_same(&self, before: &Fragment, after: &Fragment) -> bool {
        let (one, other) = (self.before.bytes(before), self.after.bytes(after));
        if before.is_relocated || after.is_relocated {
            let mut relocations = self.before.relocations(before).zip(self.after.relocations(after));
            let count = |side: &Side<'_>, fragment: &Fragment| side.relocations(fragment).count();
            return one == other
                && count(&self.before, before) == count(&self.after, after)
                && relocations.all(|((at, was), (now_at, now))| {
                    at == now_at && was.kind == now.kind && was.addend == now.addend && has_one_name(was, now)
                });
        }
        match (before.kind, after.kind) {
            (FragmentKind::PcRelative { to, at }, FragmentKind::PcRelative { to: now, at: now_at }) => {
                let at = usize::from(at);
                let parts = |bytes: &[u8]| Some((bytes.get(..at)?.to_vec(), bytes.get(at + 4..)?.to_vec()));
                usize::from(now_at) == at && parts(one) == parts(other) && self.is_same_place(to, now)
            }
            (
                FragmentKind::Instruction | FragmentKind::Rewritten(_),
                FragmentKind::Instruction | FragmentKind::Rewritten(_),
            ) => do_the_same(one, other),
            _ => false,
        }
    }

    /// Whether two instructions do the same, but that the new one reads one of the values from another register, or from a slot.
    fn reads_the_same_elsewhere(&self, at: &Position, before: &Fragment, after: &Fragment) -> bool {
        let Some(slots) = self.slots.as_ref().filter(|_| !before.is_relocated && !after.is_relocated) else {
            return false;
        };
        let (one, other) = (self.before.bytes(before), self.after.bytes(after));
        let Some(Elsewhere { was, now }) = reads_elsewhere(one, other) else { return false };
        let now = match now {
            Ok(register) => Some(usize::from(register)),
            Err(offset) => slots.index(offset).map(|slot| SLOTS + slot),
        };
        now.is_some_and(|now| at.numbers.0[usize::from(was)] == at.numbers.1[now])
    }

    /// Whether addresses lead to the same jump table, or the same constant.
    fn is_same_place(&self, before: u32, after: u32) -> bool {
        if let Some(index) = self.before.fragments.index_of(before)
            && matches!(self.before.fragments[index].kind, FragmentKind::JumpTable)
        {
            return self.places[index].is_some() && self.places[index] == self.after.fragments.index_of(after);
        }
        let place = |side: &Side<'_>, to: u32| to.checked_sub(side.constants()?.start);
        let place = (place(&self.before, before), place(&self.after, after));
        place.0.is_some() && place.0 == place.1
    }

    /// Runs an instruction that is the same in both.
    fn run_both(&mut self, at: &mut Position, before: Effects, after: Effects) -> Result<(), Mismatch> {
        let kept: RegisterSet = CALLEE_SAVED | 1 << RBP | 1 << RSP;
        // What a new frame saves is checked by following it.
        let callers = if self.frame.is_some() { 0 } else { kept };
        let reads = match before.transfer {
            Transfer::Call if !before.keeps_registers => ARGUMENTS,
            Transfer::Return => RESULTS | callers,
            // A tail call, unless it goes through a table.
            Transfer::Elsewhere if !self.is_table(at) => ARGUMENTS | callers,
            _ => 0,
        } | before.read
            | after.read;
        let written = match before.transfer {
            Transfer::Call if !before.keeps_registers => !kept,
            _ => 0,
        } | before.written
            | after.written;
        let numbers = &mut at.numbers;
        let is_other = |place: usize| numbers.0[place] != numbers.1[place];
        if values::registers(reads).any(is_other) || (before.reads_flags && is_other(FLAGS)) {
            return Err(self.wrong(at, "values that are read"));
        }
        for register in values::registers(written) {
            numbers.0[register] = self.values.fresh();
            numbers.1[register] = numbers.0[register];
        }
        let is_same = numbers.0[FLAGS] == numbers.1[FLAGS];
        match before.flags {
            Flags::Kept if before.transfer != Transfer::Call => {}
            Flags::Changed if !is_same => {
                numbers.0[FLAGS] = self.values.fresh();
                numbers.1[FLAGS] = self.values.fresh();
            }
            _ => {
                numbers.0[FLAGS] = self.values.fresh();
                numbers.1[FLAGS] = numbers.0[FLAGS];
            }
        }
        Ok(())
    }

    fn is_table(&self, at: &Position) -> bool {
        self.before
            .fragments
            .get(at.before + 1)
            .is_some_and(|fragment| matches!(fragment.kind, FragmentKind::JumpTable))
    }

    /// Walks on to the targets of a table.
    fn push_table_targets(&mut self, at: &Position) -> Result<(), Mismatch> {
        if !self.is_table(at) {
            return Ok(());
        }
        let table = self
            .after
            .fragments
            .get(at.after + 1)
            .filter(|fragment| matches!(fragment.kind, FragmentKind::JumpTable));
        let table = table.ok_or_else(|| self.wrong(at, "a table that is gone"))?;
        let entries = |side: &Side<'_>, fragment: &Fragment| -> Vec<usize> {
            fragment.entries(&side.function.code).map(|to| side.target(to)).collect()
        };
        let before = entries(&self.before, &self.before.fragments[at.before + 1]);
        let after = entries(&self.after, table);
        if before.len() != after.len() {
            return Err(self.wrong(at, "sizes of tables"));
        }
        let mut pairs: Vec<(usize, usize)> = before.into_iter().zip(after).collect();
        pairs.sort_unstable();
        pairs.dedup();
        pairs.into_iter().for_each(|(before, after)| self.push(before, after, at.numbers.clone()));
        Ok(())
    }
}

fn is_nop(bytes: &[u8]) -> bool {
    matches!(bytes, [] | [0x90] | [0x66, 0x90] | [0x0f, 0x1f, ..] | [0x66, 0x0f, 0x1f, ..])
}
