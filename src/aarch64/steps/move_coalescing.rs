//! Move coalescing: values are computed in the registers that moves would bring them to.
//!
//! In: a listing. Out: the same without moves at the ends of the ranges of their sources, above all those of block parameters at back
//! edges. Sound: from what computes the value to the move, nothing else has the register that it is moved to, all that reads the value
//! reads it from there, and on paths that leave in between neither register is live. Behind the move nothing wants the old register, or
//! only what can read the new one, up to the end of the block.

use super::loop_invariants::reading;
use crate::aarch64::code::blocks::{Blocks, before};
use crate::aarch64::code::decode::decode;
use crate::aarch64::code::fields::{Field, bits, with};
use crate::aarch64::code::instruction::{Instruction, Kind, Plain, field};
use crate::aarch64::code::listing::Listing;
use crate::aarch64::code::registers::{FRAME, R31, RegisterSet, register};

/// How many slots before a move are looked at.
const REACH: usize = 48;

/// Runs the step, and says whether it changed anything.
pub(crate) fn run(listing: &mut Listing) -> bool {
    let mut blocks = Blocks::new(listing);
    let live_in: Vec<RegisterSet> = (0..blocks.list.len()).map(|block| blocks.live_in(listing, block)).collect();
    let mut coalescing = Coalescing { live_in };
    let mut has_changed = false;
    for index in 0..blocks.list.len() {
        let mut slot = blocks.list[index].end;
        let mut live = blocks.list[index].live_out;
        while slot > blocks.list[index].start {
            slot -= 1;
            if let Some((from, to)) = moved(listing, slot)
                && let Some(later) = coalescing.read_later(listing, &blocks, index, slot, (from, to), live)
                && let Some(renamed) = coalescing.renamed(listing, &blocks, index, slot, (from, to))
            {
                for (slot, word) in renamed.words.into_iter().chain(later) {
                    listing.replace(slot, word);
                }
                listing.remove(slot);
                has_changed = true;
                // The blocks in between have the value in the other register.
                for block in renamed.first..index {
                    let renamed = blocks.list[block].live_out & !register(from) | register(to);
                    blocks.list[block].live_out = renamed;
                    coalescing.live_in[block + 1] = coalescing.live_in[block + 1] & !register(from) | register(to);
                }
            }
            live = before(listing, slot, live);
        }
    }
    has_changed
}

/// The registers of a move.
fn moved(listing: &Listing, slot: usize) -> Option<(u8, u8)> {
    let instruction = listing.get(slot)?;
    let from = bits(instruction.word, 16, 5) as u8;
    let to = instruction.dest.filter(|&to| to != from && register(to) | register(from) != 0)?;
    let is_general = (register(to) | register(from)) & FRAME == 0 && from != R31;
    (instruction.kind == Kind::Plain(Plain::Copy) && instruction.is_pure() && is_general).then_some((from, to))
}

struct Coalescing {
    /// What is live at the start of each block.
    live_in: Vec<RegisterSet>,
}

/// What a value's range becomes.
struct Renamed {
    /// The instructions in it, with the other register.
    words: Vec<(usize, u32)>,
    /// The block in which it starts.
    first: usize,
}

impl Coalescing {
    /// What reads a value behind a move of it, up to the end of the block, from the register that it is moved to.
    fn read_later(
        &self,
        listing: &Listing,
        blocks: &Blocks,
        index: usize,
        slot: usize,
        (from, to): (u8, u8),
        live: RegisterSet,
    ) -> Option<Vec<(usize, u32)>> {
        let mut words = Vec::new();
        if live & register(from) == 0 {
            return Some(words);
        }
        let is_wide = listing.get(slot)?.wide;
        let block = &blocks.list[index];
        let mut is_moved = true;
        for at in slot + 1..block.end.min(slot + REACH) {
            let Some(instruction) = listing.instruction(at) else { continue };
            if listing.effects(at).0 & register(from) != 0 {
                let instruction = listing.get(at).filter(|_| is_moved)?;
                let is_narrow = |field: &Field| !field.wide || field.of(instruction.word) != from;
                // A move of 32 bits is the same in these.
                if !is_wide && !instruction.sources.iter().all(is_narrow) {
                    return None;
                }
                words.push((at, reading(listing, at, from, to)?));
            }
            is_moved &= instruction.writes & register(to) == 0;
            if instruction.writes & register(from) != 0 {
                return Some(words);
            }
        }
        (block.end <= slot + REACH && block.live_out & register(from) == 0).then_some(words)
    }

    /// The range of a value up to a move of it, in the register that it is moved to.
    fn renamed(
        &self,
        listing: &Listing,
        blocks: &Blocks,
        index: usize,
        slot: usize,
        (from, to): (u8, u8),
    ) -> Option<Renamed> {
        let is_wide = listing.get(slot)?.wide;
        let both = register(from) | register(to);
        let (mut block, mut words) = (index, Vec::new());
        for at in (slot.saturating_sub(REACH)..slot).rev() {
            while at < blocks.list[block].start {
                if !(blocks.list[block].follows && blocks.list[block].predecessors.len() == 1) {
                    return None;
                }
                block -= 1;
            }
            let Some(instruction) = listing.instruction(at) else { continue };
            if instruction.writes & register(from) != 0 {
                let instruction = listing.get(at)?;
                let is_whole = is_wide || instruction.result_bits() <= 32;
                if instruction.dest != Some(from) || !is_whole || instruction.kind == Kind::Fixed {
                    return None;
                }
                words.push((at, with_dest(instruction, to)?));
                return Some(Renamed { words, first: block });
            }
            let (reads, writes) = listing.effects(at);
            if (reads | writes) & register(to) != 0 {
                return None;
            }
            if listing.target(at).is_some_and(|target| self.live_in[blocks.of(target)] & both != 0) {
                return None;
            }
            if reads & register(from) != 0 {
                words.push((at, reading(listing, at, from, to)?));
            }
        }
        None
    }
}

/// The instruction with another register that it writes.
fn with_dest(instruction: &Instruction, to: u8) -> Option<u32> {
    let word = with(instruction.word, 0, 5, u32::from(to));
    let made = decode(word);
    (field(instruction.word, 0) == instruction.dest? && made.dest == Some(to)).then_some(word)
}
