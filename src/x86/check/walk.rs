//! Two codes, walked side by side from the start along all branches: whether the second one does what the first one did.
//!
//! In: a function as it was, and as it is now, as items ([`Side`]), and where each item is now. Out: the first difference.
//!
//! | | |
//! |---|---|
//! | instructions | the same one after the other, however they are encoded, but for those below |
//! | jumps, `nop`s | go where they go |
//! | moves | are not compared: what an instruction reads holds the same value in both (`values.rs`), so does what a call or a `ret` may read |
//! | branches | by the same condition of the same flags, or by the opposite one, with their ways exchanged |
//! | jump tables | entry by entry; a check of the index by a branch is as good as by a move, for an index that is too large leads where the last entry does |
//! | relocations | of the same kind, to the same place, in the same byte of the instruction |
//! | addresses | of the same constant, or the same jump table |
//! | what sets up a frame | is passed over in a function whose frame is another one: `frames.rs` follows it |
//!
//! What is known at a place that branches lead to is what all ways to it have in common. The rule: each instruction is looked
//! at [`EFFORT`] times at most, on average.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::Wrong;
use super::frames;
use super::same::do_the_same;
use super::side::{Side, has_one_name};
use super::values::{self, COUNT, Classes, FLAGS, Move, Names, Values};
use crate::codegen::CompiledFunction;
use crate::x86::code::effects::{ARGUMENTS, Flags, Flow, RBP, RESULTS, RSP, SAVED, Set, Uses};
use crate::x86::code::pieces::{Item, Items, Kind};
use crate::x86::steps::frame;
use crate::x86::steps::jump_table_bounds::{self, NOT_BELOW, SEQUENCE};

/// How many instructions are looked at, for each that there is.
const EFFORT: usize = 64;

/// A place in both codes, and what is known there.
struct At {
    before: usize,
    after: usize,
    names: (Names, Names),
    /// Whether this is where what is known at a place was last taken from.
    is_start: bool,
}

/// The walk.
pub(crate) struct Walk<'a> {
    before: Side<'a>,
    after: Side<'a>,
    /// Where each item is now.
    places: Vec<Option<usize>>,
    /// Whether branches lead to an item as it was.
    targets: Vec<bool>,
    /// The frame as it was, in a function that has another one now.
    frame: Option<frame::Frame>,
    values: Values,
    /// What all ways that were walked to a place have in common.
    known: HashMap<(usize, usize), Classes>,
    open: Vec<At>,
    left: usize,
}

impl<'a> Walk<'a> {
    /// Of a function as it was and as it is now; `places` says where each item is now, and `frame` what the frame was if it is
    /// another one.
    pub(crate) fn new(
        (function, before): (&'a CompiledFunction, &'a Items),
        (made, after): (&'a CompiledFunction, &'a Items),
        places: Vec<Option<usize>>,
        frame: Option<frame::Frame>,
    ) -> Walk<'a> {
        Walk {
            before: Side::new(function, before),
            after: Side::new(made, after),
            places,
            targets: targets(before, &function.code),
            frame,
            values: Values::default(),
            known: HashMap::new(),
            open: Vec::new(),
            left: EFFORT * (before.len() + after.len()),
        }
    }

    /// Walks.
    pub(crate) fn run(&mut self) -> Result<(), Wrong> {
        let mut classes = [0; 2 * COUNT];
        (0..COUNT).for_each(|place| (classes[place], classes[COUNT + place]) = (place as u8, place as u8));
        let names = self.values.start(&classes);
        self.open.push(At { before: 0, after: 0, names, is_start: self.targets.first() == Some(&false) });
        while let Some(mut at) = self.open.pop() {
            if at.is_start
                && let Some(classes) = self.known.get(&(at.before, at.after))
            {
                at.names = self.values.start(classes);
            }
            while self.advance(&mut at)? {}
        }
        Ok(())
    }

    fn wrong(&self, at: &At, what: &'static str) -> Wrong {
        let place = |side: &Side<'_>, index: usize| side.items.get(index).map_or(u32::MAX, |item| item.start);
        Wrong::Different(place(&self.before, at.before), place(&self.after, at.after), what)
    }

    /// Goes on to behind the next instruction that is compared, and says whether anything follows it.
    fn advance(&mut self, at: &mut At) -> Result<bool, Wrong> {
        loop {
            let is_target = self.targets.get(at.before).ok_or_else(|| self.wrong(at, "it ends"))?;
            if *is_target && !at.is_start {
                self.meet(at)?;
                return Ok(false);
            }
            at.is_start = false;
            match self.pass(false, at.before, &mut at.names.0)? {
                Some(next) => at.before = next,
                None => break,
            }
        }
        while let Some(next) = self.pass(true, at.after, &mut at.names.1)? {
            at.after = next;
        }
        self.step(at)
    }

    /// Passes over what is not compared.
    fn pass(&mut self, is_after: bool, index: usize, names: &mut Names) -> Result<Option<usize>, Wrong> {
        self.left = self.left.checked_sub(1).ok_or(Wrong::Effort)?;
        let side = if is_after { &self.after } else { &self.before };
        let Some(item) = side.items.get(index) else { return Ok(None) };
        if let Kind::Branch { condition: None, to } = item.kind {
            return Ok(Some(side.target(to)));
        }
        let bytes = side.bytes(item);
        let is_of_frame = match &self.frame {
            Some(_) if is_after => frames::is_of_frame(item, bytes),
            Some(frame) => frame.is_part(index),
            None => false,
        };
        if is_of_frame {
            for register in values::registers(item.uses.written & !(SAVED | 1 << RSP | 1 << RBP)) {
                names[register] = self.values.fresh();
            }
            return Ok(Some(index + 1));
        }
        if is_nop(bytes) {
            return Ok(Some(index + 1));
        }
        let Some(made) = Move::read(item, &side.function.code) else { return Ok(None) };
        self.values.run(made, names);
        Ok(Some(index + 1))
    }

    /// A place that branches lead to: what is known there is what was known on other ways too.
    fn meet(&mut self, at: &mut At) -> Result<(), Wrong> {
        self.catch_up(at)?;
        let classes = values::classes(&at.names.0, &at.names.1);
        let is_new = match self.known.entry((at.before, at.after)) {
            Entry::Vacant(entry) => {
                entry.insert(classes);
                true
            }
            Entry::Occupied(mut entry) => {
                let common = values::common(entry.get(), &classes);
                entry.insert(common) != common
            }
        };
        if is_new {
            self.open.push(At { before: at.before, after: at.after, names: at.names, is_start: true });
        }
        Ok(())
    }

    /// Passes over the moves that were passed over as it was: up to where the place is now, or, in a copy, as far as makes
    /// the most registers hold the same.
    fn catch_up(&mut self, at: &mut At) -> Result<(), Wrong> {
        let is_same = |names: &Names| (0..COUNT).filter(|&place| names[place] == at.names.0[place]).count();
        let (mut index, mut names) = (at.after, at.names.1);
        let mut best = (is_same(&names), index, names);
        while Some(index) != self.places[at.before] {
            let Some(next) = self.pass(true, index, &mut names)? else {
                (at.after, at.names.1) = (best.1, best.2);
                return Ok(());
            };
            index = next;
            if is_same(&names) > best.0 {
                best = (is_same(&names), index, names);
            }
        }
        (at.after, at.names.1) = (index, names);
        Ok(())
    }

    fn lead(&mut self, before: usize, after: usize, names: (Names, Names)) {
        self.open.push(At { before, after, names, is_start: false });
    }

    /// Compares an instruction, and goes on behind it.
    fn step(&mut self, at: &mut At) -> Result<bool, Wrong> {
        let (before, after) = match (self.before.items.get(at.before), self.after.items.get(at.after)) {
            (Some(before), Some(after)) if !before.is_data() && !after.is_data() => (*before, *after),
            _ => return Err(self.wrong(at, "one ends")),
        };
        if let (Kind::Branch { condition: one, to }, Kind::Branch { condition: other, to: now }) =
            (before.kind, after.kind)
        {
            if at.names.0[FLAGS] != at.names.1[FLAGS] {
                return Err(self.wrong(at, "flags of a branch"));
            }
            let (taken, mut now) = (self.before.target(to), [self.after.target(now), at.after + 1]);
            if one != other {
                now.reverse();
                if one.map(|condition| condition ^ 1) != other {
                    return Err(self.wrong(at, "conditions"));
                }
            }
            self.lead(taken, now[0], at.names);
            (at.before, at.after) = (at.before + 1, now[1]);
            return Ok(true);
        }
        if !self.is_same(&before, &after) {
            return if self.is_checked_by_branch(at) { Ok(true) } else { Err(self.wrong(at, "instructions")) };
        }
        self.run_both(at, before.uses, after.uses)?;
        match before.uses.flow {
            Flow::Trap | Flow::Return => return Ok(false),
            Flow::Elsewhere => {
                self.lead_by_table(at)?;
                return Ok(false);
            }
            Flow::Next | Flow::Call => {}
        }
        (at.before, at.after) = (at.before + 1, at.after + 1);
        Ok(true)
    }

    /// Whether two instructions that are no branches do the same.
    fn is_same(&self, before: &Item, after: &Item) -> bool {
        let (one, other) = (self.before.bytes(before), self.after.bytes(after));
        if before.is_relocated || after.is_relocated {
            let mut relocations = self.before.relocations(before).zip(self.after.relocations(after));
            let count = |side: &Side<'_>, item: &Item| side.relocations(item).count();
            return one == other
                && count(&self.before, before) == count(&self.after, after)
                && relocations.all(|((at, was), (now_at, now))| {
                    at == now_at && was.kind == now.kind && was.addend == now.addend && has_one_name(was, now)
                });
        }
        match (before.kind, after.kind) {
            (Kind::Relative { to, at }, Kind::Relative { to: now, at: now_at }) => {
                let at = usize::from(at);
                let parts = |bytes: &[u8]| Some((bytes.get(..at)?.to_vec(), bytes.get(at + 4..)?.to_vec()));
                usize::from(now_at) == at && parts(one) == parts(other) && self.is_same_place(to, now)
            }
            (Kind::Plain | Kind::Short(_), Kind::Plain | Kind::Short(_)) => do_the_same(one, other),
            _ => false,
        }
    }

    /// Whether addresses lead to the same jump table, or the same constant.
    fn is_same_place(&self, before: u32, after: u32) -> bool {
        if let Some(index) = self.before.items.index_of(before)
            && matches!(self.before.items[index].kind, Kind::Table)
        {
            return self.places[index].is_some() && self.places[index] == self.after.items.index_of(after);
        }
        let place = |side: &Side<'_>, to: u32| to.checked_sub(side.constants()?.start);
        let place = (place(&self.before, before), place(&self.after, after));
        place.0.is_some() && place.0 == place.1
    }

    /// Runs an instruction that is the same in both.
    fn run_both(&mut self, at: &mut At, before: Uses, after: Uses) -> Result<(), Wrong> {
        let kept: Set = SAVED | 1 << RBP | 1 << RSP;
        // A frame that is another one is left to be followed.
        let callers = if self.frame.is_some() { 0 } else { kept };
        let reads = match before.flow {
            Flow::Call => ARGUMENTS,
            Flow::Return => RESULTS | callers,
            // To another function, but by a table.
            Flow::Elsewhere if !self.is_table(at) => ARGUMENTS | callers,
            _ => 0,
        } | before.read
            | after.read;
        let written = match before.flow {
            Flow::Call => !kept,
            _ => 0,
        } | before.written
            | after.written;
        let names = &mut at.names;
        let is_other = |place: usize| names.0[place] != names.1[place];
        if values::registers(reads).any(is_other) || (before.reads_flags && is_other(FLAGS)) {
            return Err(self.wrong(at, "values that are read"));
        }
        for register in values::registers(written) {
            names.0[register] = self.values.fresh();
            names.1[register] = names.0[register];
        }
        let is_same = names.0[FLAGS] == names.1[FLAGS];
        match before.flags {
            Flags::Kept if before.flow != Flow::Call => {}
            Flags::Changed if !is_same => {
                names.0[FLAGS] = self.values.fresh();
                names.1[FLAGS] = self.values.fresh();
            }
            _ => {
                names.0[FLAGS] = self.values.fresh();
                names.1[FLAGS] = names.0[FLAGS];
            }
        }
        Ok(())
    }

    fn is_table(&self, at: &At) -> bool {
        self.before.items.get(at.before + 1).is_some_and(|item| matches!(item.kind, Kind::Table))
    }

    /// Leads to what the entries of a table lead to.
    fn lead_by_table(&mut self, at: &At) -> Result<(), Wrong> {
        if !self.is_table(at) {
            return Ok(());
        }
        let table = self.after.items.get(at.after + 1).filter(|item| matches!(item.kind, Kind::Table));
        let table = table.ok_or_else(|| self.wrong(at, "a table that is gone"))?;
        let entries = |side: &Side<'_>, item: &Item| -> Vec<usize> {
            item.entries(&side.function.code).map(|to| side.target(to)).collect()
        };
        let before = entries(&self.before, &self.before.items[at.before + 1]);
        let after = entries(&self.after, table);
        if before.len() != after.len() {
            return Err(self.wrong(at, "sizes of tables"));
        }
        let mut ways: Vec<(usize, usize)> = before.into_iter().zip(after).collect();
        ways.sort_unstable();
        ways.dedup();
        ways.into_iter().for_each(|(before, after)| self.lead(before, after, at.names));
        Ok(())
    }

    /// Whether an index is checked by a move as it was, and by a branch now; then this goes on behind both.
    fn is_checked_by_branch(&mut self, at: &mut At) -> bool {
        let table = at.before + SEQUENCE;
        let code = &self.before.function.code;
        let Some(check) = jump_table_bounds::Check::read(self.before.items, code, table) else { return false };
        let number = self.values.number(check.entries);
        let (from, to) = (usize::from(check.from), usize::from(check.to));
        let compares = jump_table_bounds::compare(check.is_wide, check.from, check.entries);
        let (Some(compares), Some([now, branch, ..])) = (compares, self.after.items.get(at.after..)) else {
            return false;
        };
        let last = self.before.items.get(table).and_then(|table| table.entries(code).last());
        let (Kind::Branch { condition: Some(NOT_BELOW), to: beyond }, Some(last)) = (branch.kind, last) else {
            return false;
        };
        let is_same = at.names.0[from] == at.names.1[from] && at.names.0[to] == number;
        if !is_same || !do_the_same(compares.bytes(), self.after.bytes(now)) {
            return false;
        }
        // Nobody reads what the jump needs but the jump.
        let address = self.before.items[at.before + 2].uses.written;
        let mut names = at.names;
        for place in values::registers(address).chain([to, FLAGS]) {
            names.0[place] = self.values.fresh();
            names.1[place] = names.0[place];
        }
        self.lead(self.before.target(last), self.after.target(beyond), names);
        at.names.0[to] = match check.is_wide {
            true => at.names.0[from],
            false => self.values.low(at.names.0[from]),
        };
        at.names.0[FLAGS] = self.values.fresh();
        at.names.1[FLAGS] = at.names.0[FLAGS];
        (at.before, at.after) = (at.before + 2, at.after + 2);
        true
    }
}

/// The items that branches and jump tables lead to.
fn targets(items: &Items, code: &[u8]) -> Vec<bool> {
    let mut targets = vec![false; items.len()];
    let mut lead = |to: u32| {
        if let Some(index) = items.index_of(to) {
            targets[index] = true;
        }
    };
    for item in items.iter() {
        match item.kind {
            Kind::Branch { to, .. } => lead(to),
            Kind::Table => item.entries(code).for_each(&mut lead),
            _ => {}
        }
    }
    targets
}

fn is_nop(bytes: &[u8]) -> bool {
    matches!(bytes, [] | [0x90] | [0x66, 0x90] | [0x0f, 0x1f, ..] | [0x66, 0x0f, 0x1f, ..])
}
