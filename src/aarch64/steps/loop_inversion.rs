//! Loop inversion: the branch out of a loop that stands before the jump back becomes the branch back.
//!
//! | before | after |
//! |---|---|
//! | `b.eq out; mov x8, x12; b top; out:` | `mov x8, x12; b.ne top; out:` |
//! | `cbz x3, out; b elsewhere; out:` | `cbnz x3, elsewhere; out:` |
//! | `cbz x3, out; b top; other:` | `cbnz x3, top; b out; other:` |
//!
//! In: a listing. Out: the same with an instruction less for each round. Sound: the moves, which are then done on both paths, change
//! nothing that is live behind the loop, nor what the branch looks at.

use crate::aarch64::code::blocks::Blocks;
use crate::aarch64::code::fields::bits;
use crate::aarch64::code::instruction::{Branch, Instruction, Kind};
use crate::aarch64::code::listing::{Content, Listing};
use crate::aarch64::code::registers::FLAGS;

/// The most moves that are done on both paths.
const MOST_MOVES: usize = 3;

/// Slots that a branch by a bit reaches, which is the shortest.
const REACH: usize = 0x1f00;

/// Runs the step, and says whether it changed anything.
pub(crate) fn run(listing: &mut Listing) -> bool {
    let blocks = Blocks::new(listing);
    let mut has_changed = false;
    for index in 1..blocks.list.len() {
        has_changed |= invert(listing, &blocks, index).is_some();
    }
    has_changed
}

/// Inverts the branch before a block that is moves and a jump, if there is one.
fn invert(listing: &mut Listing, blocks: &Blocks, index: usize) -> Option<()> {
    let block = &blocks.list[index];
    if block.predecessors.len() != 1 || !block.follows {
        return None;
    }
    let previous = &blocks.list[index - 1];
    let branch = (previous.start..previous.end).rev().find(|&slot| listing.instruction(slot).is_some())?;
    let inverted = inverse(listing.get(branch)?)?;
    let reads = listing.get(branch)?.reads;
    let out = listing.target(branch)?;
    let filled: Vec<usize> = (block.start..block.end).filter(|&slot| listing.instruction(slot).is_some()).collect();
    let (&jump, moves) = filled.split_last()?;
    let Kind::Branch(Branch::Always, _) = listing.get(jump)?.kind else { return None };
    let top = listing.target(jump)?;
    let is_next = out >= block.end && listing.next(block.end) == listing.next(out);
    let goes_back = top <= branch;
    let is_far = branch.abs_diff(top) > REACH;
    if is_far || moves.len() > MOST_MOVES || (!moves.is_empty() && !goes_back) || !(is_next || goes_back) {
        return None;
    }
    let live = blocks.live_in(listing, blocks.of(out));
    for &slot in moves {
        let instruction = listing.get(slot)?;
        let is_free = instruction.is_pure() && instruction.writes & (live | reads | FLAGS) == 0;
        if !is_free || instruction.reads & FLAGS != 0 {
            return None;
        }
    }
    // The branch goes behind the moves; slots stay where they are, and what is in them moves up.
    let places: Vec<usize> = std::iter::once(branch).chain(filled.iter().copied()).collect();
    let last = listing.slots[branch];
    for (at, &slot) in moves.iter().enumerate() {
        listing.slots[places[at]] = listing.slots[slot];
    }
    let place = places[moves.len()];
    listing.slots[place] = last;
    listing.replace(place, inverted);
    listing.retarget(place, top);
    if is_next {
        listing.slots[jump].content = Content::Gone;
    } else {
        listing.retarget(jump, out);
    }
    Some(())
}

/// A conditional branch on the opposite condition.
fn inverse(branch: &Instruction) -> Option<u32> {
    match branch.kind {
        Kind::Branch(Branch::Zero | Branch::Bit, _) => Some(branch.word ^ 1 << 24),
        Kind::Branch(Branch::Flags, _) if bits(branch.word, 1, 3) != 0b111 => Some(branch.word ^ 1),
        _ => None,
    }
}
