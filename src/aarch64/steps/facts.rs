//! What is known of registers at an instruction, from what was executed before it.
//!
//! In: instructions, one after the other. Out: [`Facts`]: copies, constants, significant bits, what computed a register. The rule: what
//! is known holds on all paths; where paths meet, only what is in [`Common`] is known.

use crate::aarch64::code::blocks::Blocks;
use crate::aarch64::code::fields::bits;
use crate::aarch64::code::instruction::{Instruction, Kind, Plain};
use crate::aarch64::code::listing::Listing;
use crate::aarch64::code::registers::{FLAGS, RegisterSet, SP};

/// How many general registers there are.
const COUNT: usize = 31;

/// What is known of registers where paths meet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Common {
    /// The significant bits of each register: those above are 0.
    widths: [u8; COUNT],
    /// How much each is above the stack pointer, if that is known.
    above_stack: [Option<i32>; COUNT],
}

impl Common {
    /// Where nothing is known.
    const NOTHING: Common = Common { widths: [64; COUNT], above_stack: [None; COUNT] };

    fn forget(&mut self, written: RegisterSet) {
        for number in numbers(written) {
            self.widths[number] = 64;
            self.above_stack[number] = None;
        }
        if written & SP != 0 {
            self.above_stack = [None; COUNT];
        }
    }

    fn advance(&mut self, instruction: &Instruction) {
        let (width, above_stack) = (self.width_of(instruction), self.above_stack_of(instruction));
        self.forget(instruction.writes);
        if let Some(dest) = instruction.dest {
            self.widths[usize::from(dest)] = width;
            self.above_stack[usize::from(dest)] = above_stack;
        }
    }

    /// How much the register that an instruction writes is above the stack pointer.
    fn above_stack_of(&self, instruction: &Instruction) -> Option<i32> {
        let of = |at: u8| self.above_stack.get(bits(instruction.word, at, 5) as usize).copied().flatten();
        match instruction.kind {
            Kind::Plain(Plain::Copy) if instruction.wide => of(16),
            Kind::Plain(Plain::AddConstant { subtracts, constant }) if instruction.wide => {
                let base = if instruction.reads & SP != 0 { Some(0) } else { of(5) };
                let constant = constant.cast_signed();
                base?.checked_add(if subtracts { -constant } else { constant })
            }
            _ => None,
        }
    }

    /// The significant bits of the register that an instruction writes.
    fn width_of(&self, instruction: &Instruction) -> u8 {
        let of = |at: u8| self.widths.get(bits(instruction.word, at, 5) as usize).copied().unwrap_or(0);
        let most = instruction.result_bits();
        match instruction.kind {
            Kind::Plain(Plain::Copy) => of(16).min(most),
            Kind::Plain(Plain::Mask(_) | Plain::ZeroExtend { .. }) => of(5).min(most),
            Kind::Plain(Plain::Shift { shift: 1, amount }) => of(5).saturating_sub(amount).min(most),
            // `orr` and `eor`, not of the complement.
            Kind::Plain(Plain::Logic { amount: 0, .. })
                if matches!(bits(instruction.word, 29, 2), 1 | 2) && bits(instruction.word, 21, 1) == 0 =>
            {
                of(5).max(of(16)).min(most)
            }
            // `csel`.
            Kind::Plain(Plain::Other { .. }) if instruction.word & 0x7fe0_0c00 == 0x1a80_0000 => {
                of(5).max(of(16)).min(most)
            }
            _ => most,
        }
    }

    /// What is known on both paths; widths are all of a half or of a word at once, so that nothing changes often.
    fn met(mut self, other: &Common) -> Common {
        for (known, &width) in self.widths.iter_mut().zip(&other.widths) {
            *known = match width {
                width if width <= *known => *known,
                0..=8 => 8,
                9..=32 => 32,
                _ => 64,
            };
        }
        for (known, other) in self.above_stack.iter_mut().zip(&other.above_stack) {
            *known = known.filter(|_| known == other);
        }
        self
    }
}

/// A register whose value was the same when something was computed, if its version still is this.
type Version = u32;

/// What is known of a register.
#[derive(Clone, Copy)]
struct Known {
    version: Version,
    constant: Option<u64>,
    /// The register that it was copied from, and whether all of it.
    copy: Option<(u8, Version, bool)>,
    /// The slot that computed it, and the versions of what that read.
    computed: Option<(usize, [Version; 3])>,
}

/// What is known at an instruction.
#[derive(Clone)]
pub(crate) struct Facts {
    common: Common,
    known: [Known; COUNT],
    /// The comparison that set the flags, and the versions of what it read.
    compared: Option<(u32, [Version; 3])>,
}

impl Facts {
    /// Where only this is known.
    fn new(common: &Common) -> Facts {
        let nothing = Known { version: 0, constant: None, copy: None, computed: None };
        Facts { common: *common, known: [nothing; COUNT], compared: None }
    }

    /// The significant bits of a register.
    pub(crate) fn width(&self, register: u8) -> u8 {
        self.common.widths.get(usize::from(register)).copied().unwrap_or(0)
    }

    /// How much a register is above the stack pointer, if that is known.
    pub(crate) fn above_stack(&self, register: u8) -> Option<i32> {
        self.common.above_stack.get(usize::from(register)).copied().flatten()
    }

    /// What a register holds, if that is a constant.
    pub(crate) fn constant(&self, register: u8) -> Option<u64> {
        self.known.get(usize::from(register)).map_or(Some(0), |known| known.constant)
    }

    /// Another register that holds the same; in its low 32 bits, unless all are wanted.
    pub(crate) fn copy_of(&self, register: u8, wide: bool) -> Option<u8> {
        let (from, version, whole) = self.known.get(usize::from(register))?.copy?;
        (self.version(from) == version && (whole || !wide)).then_some(from)
    }

    /// The slot that computed a register, if all that it read is still as it was.
    pub(crate) fn computed(&self, listing: &Listing, register: u8) -> Option<usize> {
        let (slot, versions) = self.known.get(usize::from(register))?.computed?;
        (self.versions(listing.get(slot)?) == versions).then_some(slot)
    }

    /// Whether the flags are what a comparison makes them.
    pub(crate) fn has_compared(&self, comparison: &Instruction) -> bool {
        self.compared == Some((comparison.word, self.versions(comparison)))
    }

    fn version(&self, register: u8) -> Version {
        self.known.get(usize::from(register)).map_or(0, |known| known.version)
    }

    fn versions(&self, instruction: &Instruction) -> [Version; 3] {
        let mut versions = [0; 3];
        for (version, field) in versions.iter_mut().zip(&*instruction.sources) {
            *version = self.version(field.of(instruction.word));
        }
        versions
    }

    /// Goes on behind an instruction.
    pub(crate) fn advance(&mut self, slot: usize, instruction: &Instruction) {
        let versions = self.versions(instruction);
        let made = instruction.dest.map(|dest| (dest, self.made(slot, instruction, versions)));
        let mut common = self.common;
        common.advance(instruction);
        self.forget(instruction.writes);
        self.common = common;
        if let Some((dest, made)) = made {
            let known = &mut self.known[usize::from(dest)];
            *known = Known { version: known.version, ..made };
        }
        self.compared =
            if instruction.is_comparison() { Some((instruction.word, versions)) } else { self.compared };
    }

    /// Something else is in these registers.
    fn forget(&mut self, written: RegisterSet) {
        self.common.forget(written);
        for number in numbers(written) {
            let Known { version, .. } = self.known[number];
            self.known[number] =
                Known { version: version.wrapping_add(1), constant: None, copy: None, computed: None };
        }
        self.compared = self.compared.filter(|_| written & FLAGS == 0);
    }

    /// What is known of the register that an instruction writes.
    fn made(&self, slot: usize, instruction: &Instruction, versions: [Version; 3]) -> Known {
        let computed = instruction.is_pure().then_some((slot, versions));
        let mut made = Known { version: 0, constant: None, copy: None, computed };
        match instruction.kind {
            Kind::Plain(Plain::Constant(constant)) => made.constant = Some(constant),
            Kind::Plain(Plain::Copy) => {
                let from = bits(instruction.word, 16, 5) as u8;
                let whole = instruction.wide || self.width(from) <= 32;
                made.copy = Some((from, self.version(from), whole));
                made.constant = self.constant(from).filter(|_| whole);
            }
            _ => {}
        }
        made
    }
}

/// The general registers of a set.
fn numbers(set: RegisterSet) -> impl Iterator<Item = usize> {
    (0..COUNT).filter(move |&number| set >> number & 1 != 0)
}

/// What is known at the start of each block: what all paths to it have in common, found from the entry on until nothing changes.
fn common(listing: &Listing, blocks: &Blocks) -> Vec<Common> {
    let mut at: Vec<Option<Common>> = vec![None; blocks.list.len()];
    if let Some(entry) = at.first_mut() {
        *entry = Some(Common::NOTHING);
    }
    let mut open: Vec<usize> = vec![0];
    while let Some(index) = open.pop() {
        let (Some(block), Some(Some(mut known))) = (blocks.list.get(index), at.get(index).copied()) else {
            continue;
        };
        (block.start..block.end).filter_map(|slot| listing.instruction(slot)).for_each(|made| known.advance(made));
        for &next in &block.next {
            let met = at[next].map_or(known, |common| common.met(&known));
            if at[next] != Some(met) {
                at[next] = Some(met);
                open.push(next);
            }
        }
    }
    at.into_iter().map(|known| known.unwrap_or(Common::NOTHING)).collect()
}

/// Walks all instructions that steps may change, with what is known before each; `visit` may change it, and says whether an instruction
/// that it took away wrote anything that others do not write now. What is known at the end of a block is known at the start of the next
/// one, if control comes there from nowhere else.
pub(crate) fn each(
    listing: &mut Listing,
    blocks: &Blocks,
    mut visit: impl FnMut(&mut Listing, &Facts, usize, usize) -> bool,
) {
    let common = common(listing, blocks);
    let mut facts = Facts::new(&Common::NOTHING);
    for (index, block) in blocks.list.iter().enumerate() {
        if !(block.follows && block.predecessors.len() == 1) {
            facts = Facts::new(&common[index]);
        }
        for slot in block.start..block.end {
            if let Some(&was) = listing.get(slot)
                && visit(listing, &facts, index, slot)
            {
                facts.forget(was.writes);
            }
            if let Some(instruction) = listing.instruction(slot) {
                facts.advance(slot, instruction);
            }
        }
    }
}
