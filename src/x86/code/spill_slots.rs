//! The spill slots of a function: words of its frame that only spills and reloads of general registers access.
//!
//! In: fragments, and where Cranelift put spill slots ([`NativeFrame::spills`](crate::codegen::compiled::NativeFrame)). Out: which words
//! those are, and which of them an instruction stores or loads whole. The rule: a slot that anything else accesses (a vector
//! register, a part of it) is none of them; where the address of one may be taken, or of an access is not known, there are none
//! at all. Nothing that is called knows their addresses.

use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, Mnemonic, Register};

use super::abi::{RSP, WORD};
use super::fragments::Fragment;

/// `REX` with nothing but `W`.
const REX_W: u8 = 0x48;

/// A move between a general register and a slot, of 64 bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpillAccess {
    /// The slot's index.
    pub(crate) slot: usize,
    pub(crate) register: u8,
    /// A spill, not a reload.
    pub(crate) is_store: bool,
}

/// The slots of a function.
#[derive(Clone)]
pub(crate) struct SpillSlots {
    /// Bytes above the stack pointer.
    range: Range<u32>,
    /// Whether each word of the range is a slot.
    is_slot: Vec<bool>,
}

impl SpillSlots {
    /// Finds those of a function's body, whose instructions these are; none where there is not one.
    pub(crate) fn find<'a>(
        range: &Range<u32>,
        body: impl Iterator<Item = &'a Fragment>,
        code: &[u8],
    ) -> Option<SpillSlots> {
        let words = range.len() / WORD as usize;
        let mut slots = SpillSlots { range: range.clone(), is_slot: vec![true; words] };
        let mut is_used = false;
        for fragment in body.filter(|fragment| fragment.effects.named() >> RSP & 1 != 0) {
            let bytes = fragment.current_bytes(code)?;
            is_used |= slots.access(bytes).is_some();
            let others = slots.others(bytes)?;
            slots.is_slot.get_mut(others)?.fill(false);
        }
        (is_used && slots.is_slot.contains(&true)).then_some(slots)
    }

    /// Words at a range, all of them slots.
    #[cfg(test)]
    pub(crate) fn words(range: Range<u32>) -> SpillSlots {
        SpillSlots { is_slot: vec![true; range.len() / WORD as usize], range }
    }

    /// Whether Cranelift's instruction was a spill or a reload.
    pub(crate) fn is_access(&self, fragment: &Fragment, code: &[u8]) -> bool {
        fragment.bytes(code).is_some_and(|bytes| self.access(bytes).is_some())
    }

    /// How many indexes there are.
    pub(crate) fn count(&self) -> usize {
        self.is_slot.len()
    }

    /// What an instruction stores or loads, if it is a slot.
    pub(crate) fn access(&self, bytes: &[u8]) -> Option<SpillAccess> {
        // With a base of %rsp, and no index.
        let [rex @ (REX_W | 0x4c), opcode @ (0x89 | 0x8b), operands, 0x24, ref offset @ ..] = *bytes else {
            return None;
        };
        let offset = match (operands >> 6, offset) {
            (0, []) => 0,
            (1, &[byte @ 0..0x80]) => u32::from(byte),
            (2, &[a, b, c, d @ 0..0x80]) => u32::from_le_bytes([a, b, c, d]),
            _ => return None,
        };
        if operands & 7 != RSP {
            return None;
        }
        let slot = self.index(offset)?;
        Some(SpillAccess { slot, register: (operands >> 3 & 7) | (rex & 4) << 1, is_store: opcode == 0x89 })
    }

    /// The index of the slot at a distance from the stack pointer.
    pub(crate) fn index(&self, offset: u32) -> Option<usize> {
        let inside = offset.checked_sub(self.range.start).filter(|inside| inside.is_multiple_of(WORD))?;
        let index = (inside / WORD) as usize;
        self.is_slot.get(index).is_some_and(|&is_slot| is_slot).then_some(index)
    }

    /// The words that an instruction accesses in another way than as a slot; none if that is not known.
    pub(crate) fn others(&self, bytes: &[u8]) -> Option<Range<usize>> {
        if self.access(bytes).is_some() {
            return Some(0..0);
        }
        let instruction = Decoder::new(64, bytes, DecoderOptions::NONE).decode();
        let start = u32::try_from(instruction.memory_displacement64()).ok()?;
        if instruction.memory_base() != Register::RSP {
            return None;
        }
        // The end of the slots below is an address too: BPF's frame pointer.
        if instruction.mnemonic() == Mnemonic::Lea || instruction.memory_index() != Register::None {
            return (start <= self.range.start).then_some(0..0);
        }
        let end = start.checked_add(u32::try_from(instruction.memory_size().size()).ok()?)?;
        let inside = |offset: u32| offset.clamp(self.range.start, self.range.end) - self.range.start;
        let words = inside(start) / WORD..inside(end).div_ceil(WORD);
        Some(words.start as usize..(words.end as usize).min(self.is_slot.len()))
    }

    /// The bytes that name a slot as a memory operand: behind a ModRM byte that `register` is in.
    pub(crate) fn operand(&self, slot: usize, register: u8) -> ([u8; 6], usize) {
        let offset = self.range.start + WORD * slot as u32;
        let [a, b, c, d] = offset.to_le_bytes();
        let reg = (register & 7) << 3 | RSP;
        match offset {
            0 => ([reg, 0x24, 0, 0, 0, 0], 2),
            1..0x80 => ([0x40 | reg, 0x24, a, 0, 0, 0], 3),
            _ => ([0x80 | reg, 0x24, a, b, c, d], 6),
        }
    }
}
