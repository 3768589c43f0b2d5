//! Loop-invariant code motion: constants, and sums and masks with constants, that a loop computes anew in each round, in front of it.
//!
//! Cranelift computes these where they are used, and where its optimiser takes them out of a loop it puts them back ("rematerialisation"),
//! so that they take no register for long. Where a loop leaves a register that calls may change, there is no need.
//!
//! In: a listing. Out: the same, with such instructions in the room in front of loops, in registers that the loops do not have. Sound:
//! what they read does not change in the loop, and their register is written nowhere else in it, nor wanted by what comes behind it.

use crate::aarch64::code::blocks::{Block, Blocks};
use crate::aarch64::code::decode::decode;
use crate::aarch64::code::fields::with;
use crate::aarch64::code::instruction::{Kind, Plain};
use crate::aarch64::code::listing::{Content, Invariant, Listing};
use crate::aarch64::code::registers::{FLAGS, RegisterSet, register};

/// The registers that may be taken: those that a callee may change, but for the two that linkers change, and the platform's.
const FREE: std::ops::Range<u8> = 0..16;

/// Loops of more slots are left alone: what is looked at again and again is small.
const LARGEST: usize = 400;

/// A loop: its blocks lie together, and control comes to the first from the block before, or from inside.
struct Loop {
    first: usize,
    last: usize,
    /// The registers that it reads or writes, those that it writes, and those that more than one of its instructions writes.
    touched: RegisterSet,
    written: RegisterSet,
    written_again: RegisterSet,
    /// The registers that are live at its start, or where it is left.
    live: RegisterSet,
}

/// Runs the step, and says whether it changed anything.
pub(crate) fn run(listing: &mut Listing) -> bool {
    let mut function = Function::new(listing);
    let mut has_changed = false;
    for (first, last) in function.loops(listing) {
        let Some(mut found) = function.describe(listing, first, last) else { continue };
        for block in first..=last {
            if !function.is_always_reached(&found, block) {
                continue;
            }
            for slot in function.blocks.list[block].start..function.blocks.list[block].end {
                has_changed |= function.hoist(listing, &mut found, block, slot).is_some();
            }
        }
    }
    has_changed
}

/// The blocks of a function.
struct Function {
    blocks: Blocks,
    /// What is live at the start of each.
    live_in: Vec<RegisterSet>,
}

impl Function {
    fn new(listing: &Listing) -> Function {
        let blocks = Blocks::new(listing);
        let live_in = (0..blocks.list.len()).map(|block| blocks.live_in(listing, block)).collect();
        Function { blocks, live_in }
    }

    /// The first and the last block of each loop that has room in front of it, inner loops first: what is in front of one may be taken out
    /// of the next.
    fn loops(&self, listing: &Listing) -> Vec<(usize, usize)> {
        let last =
            |first: usize| self.blocks.list[first].predecessors.iter().copied().max().filter(|&last| last >= first);
        let mut loops: Vec<(usize, usize)> =
            (1..self.blocks.list.len()).filter_map(|first| Some((first, last(first)?))).collect();
        loops.retain(|&(first, _)| self.room(listing, first).is_some());
        loops.sort_by_key(|&(first, last)| (last - first, first));
        loops
    }

    /// The first empty slot in front of a loop: what is put there later comes behind what was put there before.
    fn room(&self, listing: &Listing, first: usize) -> Option<usize> {
        let before = &self.blocks.list[first.checked_sub(1)?];
        let is_empty = |slot: &usize| matches!(listing.slots[*slot].content, Content::Gone);
        (before.start..before.end).rev().take_while(is_empty).last()
    }

    /// What there is to know of a loop, if it is one.
    fn describe(&self, listing: &Listing, first: usize, last: usize) -> Option<Loop> {
        let list = &self.blocks.list;
        let slots = list[first].start..list[last].end;
        if slots.len() > LARGEST || !list[first].follows {
            return None;
        }
        let live = self.live_in[first];
        let mut found = Loop { first, last, touched: 0, written: 0, written_again: 0, live };
        for (index, block) in list.iter().enumerate().take(last + 1).skip(first) {
            let is_entry = |from: usize| index == first && from + 1 == first;
            if self.blocks.list[index]
                .predecessors
                .iter()
                .any(|&from| !(first..=last).contains(&from) && !is_entry(from))
            {
                return None;
            }
            let out = block.next.iter().filter(|&&to| !(first..=last).contains(&to));
            found.live = out.fold(found.live, |live, &to| live | self.live_in[to]);
        }
        for slot in slots {
            let (reads, writes) = listing.effects(slot);
            found.touched |= reads | writes;
            found.written_again |= found.written & writes;
            found.written |= writes;
        }
        Some(found)
    }

    /// Whether all rounds of a loop that do not leave it go through a block: no edge inside goes past it.
    fn is_always_reached(&self, found: &Loop, block: usize) -> bool {
        let stays = |to: usize| to <= block || to > found.last;
        (found.first..block).all(|from| self.blocks.list[from].next.iter().all(|&to| stays(to)))
    }

    /// Takes the instruction in a slot out of a loop, if it is one that can be.
    fn hoist(&mut self, listing: &mut Listing, found: &mut Loop, block: usize, slot: usize) -> Option<()> {
        let instruction = *listing.get(slot)?;
        let dest = instruction.dest?;
        let Kind::Plain(plain) = instruction.kind else { return None };
        let is_invariant = instruction.reads & (found.written | FLAGS) == 0 && instruction.writes & FLAGS == 0;
        if !instruction.is_pure() || !is_invariant || matches!(plain, Plain::Copy | Plain::Other { .. }) {
            return None;
        }
        let place = self.room(listing, found.first)?;
        let (number, words) = if (found.written_again | found.live) & register(dest) == 0 {
            (dest, Vec::new())
        } else {
            let is_free = |&number: &u8| (found.touched | found.live) & register(number) == 0;
            let number = FREE.into_iter().find(is_free)?;
            (number, renamed(listing, &self.blocks.list[block], slot, (dest, number))?)
        };
        let moved = decode(with(instruction.word, 0, 5, u32::from(number)));
        if moved.dest != Some(number) {
            return None;
        }
        for (slot, word) in words {
            listing.replace(slot, word);
        }
        listing.slots[place] = listing.slots[slot];
        listing.replace(place, moved.word);
        listing.remove(slot);
        let list = &mut self.blocks.list;
        let slots = list[found.first].start..list[found.last].end;
        listing.invariants.push(Invariant { instruction: moved, slots });
        list[found.first - 1..=found.last].iter_mut().for_each(|block| block.live_out |= register(number));
        found.touched |= register(number);
        found.written &= !register(dest) | found.written_again;
        Some(())
    }
}

/// What reads a register from a slot on, all in its block, reading another one.
fn renamed(listing: &Listing, block: &Block, slot: usize, (from, to): (u8, u8)) -> Option<Vec<(usize, u32)>> {
    let mut words = Vec::new();
    for at in slot + 1..block.end {
        let Some(instruction) = listing.instruction(at) else { continue };
        if listing.effects(at).0 & register(from) != 0 {
            words.push((at, reading(listing, at, from, to)?));
        }
        if instruction.writes & register(from) != 0 {
            return Some(words);
        }
    }
    (block.live_out & register(from) == 0).then_some(words)
}

/// The instruction in a slot, reading one register in place of another: none if it reads that in another way too.
pub(super) fn reading(listing: &Listing, slot: usize, from: u8, to: u8) -> Option<u32> {
    let instruction = listing.get(slot)?;
    let read = instruction.sources.iter().filter(|field| field.of(instruction.word) == from);
    let word = read.fold(instruction.word, |word, field| field.with(word, to));
    let implied = listing.effects(slot).0 & !instruction.reads;
    ((decode(word).reads | implied) & register(from) == 0).then_some(word)
}
