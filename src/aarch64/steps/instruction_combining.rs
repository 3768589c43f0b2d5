//! Instruction combining: what one instruction can do is one instruction.
//!
//! | before | after |
//! |---|---|
//! | `lsr t, b, #4; eor d, a, t` | `eor d, a, b, lsr #4`; any shift by a constant, any sum or bitwise operation |
//! | `lsr t, b, #16; and d, t, #0xff` | `ubfx d, b, #16, #8` |
//! | `mov t, #1; add d, a, t` | `add d, a, #1`, or `sub` |
//! | `sub d, a, #1; cmp a, #1`, in either order | `subs d, a, #1` |
//! | `add t, sp, #48; ldr v, [t, #8]` | `ldr v, [sp, #56]` (`frame_addresses.rs`) |
//! | `ldrb v, [p]; add p, p, #1` | `ldrb v, [p], #1`; also with something in between |
//!
//! In: a listing. Out: the same with fewer instructions. Sound: a shift is used where its source still has the same value, and where
//! nothing else wants its result; flags are set earlier or later only where nothing in between sets or reads them; an access moves the
//! register of its address only where nothing in between has it. Accesses stay where they are.

use super::copy_propagation::remove_dead;
use super::facts::{self, Facts};
use super::frame_addresses::by_stack_pointer;
use crate::aarch64::code::blocks::{Block, Blocks, before};
use crate::aarch64::code::fields::{bits, with};
use crate::aarch64::code::instruction::{Instruction, Kind, Plain, field};
use crate::aarch64::code::listing::Listing;
use crate::aarch64::code::registers::{FLAGS, R31, RegisterSet, SP, register};

/// How many slots before an instruction are looked at.
const REACH: usize = 12;

/// Runs the step, and says whether it changed anything.
pub(crate) fn run(listing: &mut Listing) -> bool {
    let mut blocks = Blocks::new(listing);
    let mut has_changed = false;
    // What is live behind each slot of a block, as it was before the step: an instruction that gets another source reads it where it
    // was live already, or behind that where nothing is asked again.
    let mut live: Vec<RegisterSet> = Vec::new();
    let mut of = usize::MAX;
    facts::each(listing, &blocks, |listing, facts, index, slot| {
        let block = &blocks.list[index];
        if of != index {
            of = index;
            live_in(listing, block, &mut live);
        }
        let Some(&instruction) = listing.get(slot) else { return false };
        let made = shifted(listing, facts, &instruction, live[slot - block.start])
            .or_else(|| extracted(listing, facts, &instruction, live[slot - block.start]))
            .or_else(|| with_constant(facts, &instruction))
            .or_else(|| by_stack_pointer(facts, &instruction));
        if let Some(word) = made {
            listing.replace(slot, word);
            has_changed = true;
        }
        let has_merged = sets_flags(listing, block, slot) || moves_address(listing, block, slot);
        has_changed |= has_merged;
        has_merged && listing.get(slot).is_none()
    });
    remove_dead(listing, &mut blocks) || has_changed
}

/// Finds what is live behind each slot of a block.
fn live_in(listing: &Listing, block: &Block, live: &mut Vec<RegisterSet>) {
    live.clear();
    live.resize(block.end - block.start, 0);
    let mut at = block.live_out;
    for slot in (block.start..block.end).rev() {
        live[slot - block.start] = at;
        at = before(listing, slot, at);
    }
}

/// The instruction with a shift inside that computed one of its sources, which nothing else wants.
fn shifted(listing: &Listing, facts: &Facts, instruction: &Instruction, live: RegisterSet) -> Option<u32> {
    let (is_sum, commutes) = match instruction.kind {
        Kind::Plain(Plain::Add { subtracts, shift: 0, amount: 0 }) => (true, !subtracts),
        Kind::Plain(Plain::Logic { shift: 0, amount: 0 }) => (false, bits(instruction.word, 21, 1) == 0),
        _ => return None,
    };
    let (first, second) = (field(instruction.word, 5), field(instruction.word, 16));
    let fold = |other: u8, shifted: u8| {
        let wanted = live & !instruction.writes & register(shifted) != 0;
        let computed = facts.computed(listing, shifted).and_then(|slot| listing.get(slot))?;
        let Kind::Plain(Plain::Shift { shift, amount }) = computed.kind else { return None };
        if wanted || other == shifted || computed.wide != instruction.wide || (is_sum && shift == 3) {
            return None;
        }
        let word = with(instruction.word, 22, 2, u32::from(shift));
        let word = with(word, 10, 6, u32::from(amount));
        let word = with(word, 5, 5, u32::from(other));
        Some(with(word, 16, 5, u32::from(field(computed.word, 5))))
    };
    fold(first, second).or_else(|| fold(second, first).filter(|_| commutes))
}

/// The bits of a register that a shift brings down, which nothing else wants.
fn extracted(listing: &Listing, facts: &Facts, instruction: &Instruction, live: RegisterSet) -> Option<u32> {
    let kept = match instruction.kind {
        Kind::Plain(Plain::ZeroExtend { bits }) => bits,
        Kind::Plain(Plain::Mask(mask)) if mask & mask.wrapping_add(1) == 0 => (64 - mask.leading_zeros()) as u8,
        _ => return None,
    };
    let source = field(instruction.word, 5);
    let computed = facts.computed(listing, source).and_then(|slot| listing.get(slot))?;
    let Kind::Plain(Plain::Shift { shift: 1, amount }) = computed.kind else { return None };
    let last = amount.checked_add(kept)?.checked_sub(1)?;
    let is_wanted = live & !instruction.writes & register(source) != 0 || instruction.writes & FLAGS != 0;
    // A shift of 32 bits leaves zeros above them.
    if is_wanted || instruction.dest.is_none() || last >= if computed.wide { 64 } else { 32 } {
        return None;
    }
    let ubfm = if computed.wide { 0xd340_0000 } else { 0x5300_0000 };
    let word = ubfm | u32::from(amount) << 16 | u32::from(last) << 10 | u32::from(field(instruction.word, 0));
    Some(with(word, 5, 5, u32::from(field(computed.word, 5))))
}

/// A sum with a register that holds a small constant.
fn with_constant(facts: &Facts, instruction: &Instruction) -> Option<u32> {
    let Kind::Plain(Plain::Add { subtracts, shift: 0, amount: 0 }) = instruction.kind else { return None };
    let sets_flags = instruction.writes & FLAGS != 0;
    let (first, second) = (field(instruction.word, 5), field(instruction.word, 16));
    // In a sum with a constant, 31 is the stack pointer.
    if first == R31 || (field(instruction.word, 0) == R31 && !sets_flags) {
        return None;
    }
    let constant = facts.constant(second)?;
    let constant = if instruction.wide { constant.cast_signed() } else { i64::from(constant as i32) };
    let (encoded, is_negative) = match (immediate(constant), immediate(constant.checked_neg()?)) {
        (Some(encoded), _) => (encoded, false),
        // Of 0, the two set the carry differently.
        (None, encoded) => (encoded?, true),
    };
    let word = instruction.word & 0xe000_0000 | 0x1100_0000 | encoded << 10 | instruction.word & 0x3ff;
    Some(with(word, 30, 1, u32::from(subtracts != is_negative)))
}

/// A constant of 12 bits, or of 12 bits above 12 zeros, and which it is.
fn immediate(constant: i64) -> Option<u32> {
    let constant = u32::try_from(constant).ok()?;
    match constant {
        0..0x1000 => Some(constant),
        _ if constant.is_multiple_of(0x1000) && constant < 0x100_0000 => Some(1 << 12 | constant >> 12),
        _ => None,
    }
}

/// Lets a difference set the flags of the comparison of its operands.
fn sets_flags(listing: &mut Listing, block: &Block, slot: usize) -> bool {
    let Some(&here) = listing.get(slot) else { return false };
    let is_comparison = here.is_comparison();
    // The same operation without a result, or without flags.
    let wanted = if is_comparison { here.word & !(1 << 29) & !0x1f } else { here.word | 1 << 29 | u32::from(R31) };
    let is_difference = |instruction: &Instruction| {
        matches!(
            instruction.kind,
            Kind::Plain(Plain::AddConstant { subtracts: true, .. } | Plain::Add { subtracts: true, .. })
        )
    };
    if !is_difference(&here)
        || here.reads & SP != 0
        || (!is_comparison && (here.writes & FLAGS != 0 || here.dest.is_none()))
    {
        return false;
    }
    for earlier in (block.start.max(slot.saturating_sub(REACH))..slot).rev() {
        let Some(&found) = listing.instruction(earlier) else { continue };
        let found_same = if is_comparison { found.word & !0x1f == wanted } else { found.word == wanted };
        if found_same && listing.get(earlier).is_some() {
            let sources = here.sources.iter().fold(0, |set, field| set | register(field.of(here.word)));
            let is_kept = (earlier..slot).all(|slot| listing.effects(slot).1 & sources == 0);
            let flags = 1 << 29;
            if is_comparison && found.dest.is_some() && is_kept && found.is_pure() {
                listing.replace(earlier, found.word | flags);
                listing.remove(slot);
                return true;
            }
            if !is_comparison && is_kept {
                listing.replace(slot, here.word | flags);
                listing.remove(earlier);
                return true;
            }
        }
        if (found.reads | found.writes) & FLAGS != 0 {
            return false;
        }
    }
    false
}

/// Lets an access move the register of its address on, as this instruction does.
fn moves_address(listing: &mut Listing, block: &Block, slot: usize) -> bool {
    let Some(&here) = listing.get(slot) else { return false };
    let Kind::Plain(Plain::AddConstant { subtracts, constant }) = here.kind else { return false };
    let moved = field(here.word, 0);
    let limit = if subtracts { 256 } else { 255 };
    if !here.wide
        || here.writes != register(moved)
        || here.reads != here.writes
        || constant > limit
        || constant == 0
    {
        return false;
    }
    for earlier in (block.start.max(slot.saturating_sub(REACH))..slot).rev() {
        let Some(found) = listing.instruction(earlier) else { continue };
        if (found.reads | found.writes) & register(moved) == 0 {
            continue;
        }
        let Some(&found) = listing.get(earlier) else { return false };
        // An access at the register, of another one, and not by way of an index.
        let is_vector = bits(found.word, 26, 1) != 0;
        let is_at = matches!(found.kind, Kind::Load { .. } | Kind::Store)
            && bits(found.word, 27, 3) == 0b111
            && bits(found.word, 10, 12) == 0
            && bits(found.word, 24, 2) == 1
            && field(found.word, 5) == moved;
        if !is_at || (!is_vector && field(found.word, 0) == moved) {
            return false;
        }
        let distance = if subtracts { 512 - constant } else { constant };
        let word = with(found.word, 24, 2, 0);
        listing.replace(earlier, with(word, 10, 12, distance << 2 | 1));
        listing.remove(slot);
        return true;
    }
    false
}
