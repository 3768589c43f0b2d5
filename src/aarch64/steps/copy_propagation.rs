//! Copy propagation: registers are read where their values were before they were moved, and moves, extensions and constants that
//! nothing needs then go.
//!
//! In: a listing. Out: the same with other source registers, without what is dead. Sound: a register is read in place of one that holds
//! the same value, in the bits that are read; what goes is dead, or would write what is there already.

use super::facts::{self, Facts};
use crate::aarch64::code::blocks::{Blocks, before, is_dead};
use crate::aarch64::code::decode::decode;
use crate::aarch64::code::fields::bits;
use crate::aarch64::code::instruction::{Instruction, Kind, Plain};
use crate::aarch64::code::listing::Listing;
use crate::aarch64::code::registers::R31;

/// Runs the step, and says whether it changed anything.
pub(crate) fn run(listing: &mut Listing) -> bool {
    let mut has_changed = false;
    let mut blocks = Blocks::new(listing);
    facts::each(listing, &blocks, |listing, facts, _, slot| {
        let Some(&instruction) = listing.get(slot) else { return false };
        let read = read_elsewhere(facts, instruction);
        if read.word != instruction.word {
            listing.replace(slot, read.word);
            has_changed = true;
        }
        if is_done(facts, &read) {
            listing.remove(slot);
            has_changed = true;
        }
        false
    });
    remove_dead(listing, &mut blocks) || has_changed
}

/// The instruction with its sources where they were first.
fn read_elsewhere(facts: &Facts, instruction: Instruction) -> Instruction {
    let mut word = instruction.word;
    for field in &*instruction.sources {
        let register = field.of(word);
        if register == R31 {
            continue;
        }
        if field.has_zero && facts.constant(register) == Some(0) {
            word = field.with(word, R31);
        } else if let Some(from) = facts.copy_of(register, field.wide).filter(|&from| from != R31) {
            word = field.with(word, from);
        }
    }
    // An extension of what has no more bits is a copy.
    let made = decode(word);
    let source = bits(word, 5, 5) as u8;
    let kept = match made.kind {
        Kind::Plain(Plain::ZeroExtend { bits }) => bits,
        Kind::Plain(Plain::Mask(mask)) if mask & mask.wrapping_add(1) == 0 => (64 - mask.leading_zeros()) as u8,
        _ => return made,
    };
    match made.dest {
        Some(dest) if source != R31 && facts.width(source) <= kept.min(32) => decode(copy(dest, source)),
        _ => made,
    }
}

/// `mov w, w`.
fn copy(dest: u8, source: u8) -> u32 {
    0x2a00_03e0 | u32::from(source) << 16 | u32::from(dest)
}

/// Whether what an instruction would write is there already.
fn is_done(facts: &Facts, instruction: &Instruction) -> bool {
    if instruction.is_comparison() {
        return facts.has_compared(instruction);
    }
    let Some(dest) = instruction.dest.filter(|_| instruction.is_pure()) else { return false };
    match instruction.kind {
        Kind::Plain(Plain::Constant(constant)) => facts.constant(dest) == Some(constant),
        Kind::Plain(Plain::Copy) => {
            let from = bits(instruction.word, 16, 5) as u8;
            let is_whole = instruction.wide || facts.width(from) <= 32;
            let is_same = |one, other| facts.copy_of(one, true) == Some(other);
            is_whole && (from == dest || is_same(dest, from) || is_same(from, dest))
        }
        _ => false,
    }
}

/// Takes away what is dead, and says whether there was any. The blocks are what they were; what is live is found anew.
pub(crate) fn remove_dead(listing: &mut Listing, blocks: &mut Blocks) -> bool {
    let mut has_changed = false;
    // What is dead in one block may keep something alive in another.
    for _ in 0..2 {
        blocks.find_live(listing);
        let mut is_changing = false;
        for block in &blocks.list {
            let mut live = block.live_out;
            for slot in (block.start..block.end).rev() {
                if listing.get(slot).is_some_and(|instruction| is_dead(instruction, live)) {
                    listing.remove(slot);
                    is_changing = true;
                } else {
                    live = before(listing, slot, live);
                }
            }
        }
        has_changed |= is_changing;
        if !is_changing {
            break;
        }
    }
    has_changed
}
