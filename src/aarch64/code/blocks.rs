//! The basic blocks of a function, and which registers are live where.
//!
//! In: a [`Listing`]. Out: [`Blocks`], found anew when a step asks. The rule: a block is a range of slots, in their order; what control
//! leads to by a jump table is the table's block, which lies behind its jump.

use super::instruction::{Instruction, Kind};
use super::listing::{Content, Listing};
use super::registers::{ALL, RegisterSet};

/// A basic block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Where control goes behind it, by indexes of blocks.
    pub(crate) next: Vec<usize>,
    /// Where control comes from, by indexes of blocks.
    pub(crate) predecessors: Vec<usize>,
    /// Whether the block before it falls through to it.
    pub(crate) follows: bool,
    /// The registers that are live at its end.
    pub(crate) live_out: RegisterSet,
}

/// All blocks, in the order of slots.
pub(crate) struct Blocks {
    pub(crate) list: Vec<Block>,
    /// The block of each slot.
    of: Vec<u32>,
}

impl Blocks {
    pub(crate) fn new(listing: &Listing) -> Blocks {
        let slots = &listing.slots;
        let mut starts = vec![false; slots.len() + 1];
        starts[0] = true;
        let mut mark = |to: u32| starts.get_mut(to as usize).into_iter().for_each(|start| *start = true);
        for (index, slot) in slots.iter().enumerate() {
            match slot.content {
                Content::Instruction { instruction, to, .. } => {
                    to.into_iter().for_each(&mut mark);
                    if !instruction.falls_through() || matches!(instruction.kind, Kind::Branch(..)) {
                        mark(index as u32 + 1);
                    }
                }
                Content::TableEntry { to, .. } => mark(to),
                Content::Data(_) | Content::Gone => {}
            }
        }
        let mut blocks = Blocks { list: Vec::new(), of: vec![0; slots.len()] };
        for (index, is_start) in starts.into_iter().take(slots.len()).enumerate() {
            if is_start {
                blocks.list.push(Block { start: index, ..Block::default() });
            }
            blocks.of[index] = blocks.list.len() as u32 - 1;
            if let Some(block) = blocks.list.last_mut() {
                block.end = index + 1;
            }
        }
        blocks.connect(listing);
        blocks.find_live(listing);
        blocks
    }

    /// The block that a slot is in.
    pub(crate) fn of(&self, slot: usize) -> usize {
        self.of.get(slot).map_or(usize::MAX, |&block| block as usize)
    }

    fn connect(&mut self, listing: &Listing) {
        for index in 0..self.list.len() {
            let (start, end) = (self.list[index].start, self.list[index].end);
            let last = (start..end).rev().find_map(|slot| listing.instruction(slot).map(|made| (slot, made)));
            let mut next = Vec::new();
            if last.is_none_or(|(_, made)| made.falls_through()) && end < listing.slots.len() {
                next.push(index + 1);
                self.list[index + 1].follows = true;
            }
            if let Some((slot, made)) = last {
                next.extend(listing.target(slot).map(|to| self.of(to)));
                if made.kind == Kind::Jump {
                    let entries = listing.slots[slot + 1..].iter().map_while(|slot| match slot.content {
                        Content::TableEntry { to, .. } => Some(to as usize),
                        _ => None,
                    });
                    next.extend(entries.map(|to| self.of(to)));
                }
            }
            next.sort_unstable();
            next.dedup();
            for &to in &next {
                self.list[to].predecessors.push(index);
            }
            self.list[index].next = next;
        }
    }

    /// Finds what is live at the ends of blocks: the least solution, from the last block backwards. A block is looked at again where more
    /// is live at the start of one that it leads to, which is as often as there are registers at most. Steps that change no control ask
    /// again for the same blocks.
    pub(crate) fn find_live(&mut self, listing: &Listing) {
        let through: Vec<(RegisterSet, RegisterSet)> =
            self.list.iter().map(|block| summary(listing, block)).collect();
        let mut live_in: Vec<RegisterSet> = vec![0; self.list.len()];
        let mut open: Vec<usize> = (0..self.list.len()).collect();
        let mut is_open = vec![true; self.list.len()];
        while let Some(index) = open.pop() {
            is_open[index] = false;
            let block = &mut self.list[index];
            block.live_out = block.next.iter().fold(0, |live, &to| live | live_in[to]);
            let (reads, writes) = through[index];
            let live = reads | block.live_out & !writes;
            if live != live_in[index] {
                live_in[index] = live;
                for &before in &block.predecessors {
                    if !std::mem::replace(&mut is_open[before], true) {
                        open.push(before);
                    }
                }
            }
        }
    }

    /// The registers that are live at the start of a block.
    pub(crate) fn live_in(&self, listing: &Listing, block: usize) -> RegisterSet {
        let block = &self.list[block];
        (block.start..block.end).rev().fold(block.live_out, |live, slot| before(listing, slot, live))
    }
}

/// What is live before a slot, if this is live behind it.
pub(crate) fn before(listing: &Listing, slot: usize, live: RegisterSet) -> RegisterSet {
    let (reads, writes) = listing.effects(slot);
    // A call of what is not known, and what is not understood, may look at everything.
    if reads == ALL { ALL } else { reads | live & !writes }
}

/// What a block reads before it writes it, and what it writes.
fn summary(listing: &Listing, block: &Block) -> (RegisterSet, RegisterSet) {
    (block.start..block.end).rev().fold((0, 0), |(read, written), slot| {
        let (reads, writes) = listing.effects(slot);
        (reads | read & !writes, written | writes)
    })
}

/// Whether an instruction may be taken away where these registers are live behind it.
pub(crate) fn is_dead(instruction: &Instruction, live: RegisterSet) -> bool {
    instruction.is_pure() && instruction.writes & live == 0
}
