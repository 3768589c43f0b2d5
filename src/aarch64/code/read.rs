//! The code of a function, read back.
//!
//! In: a compiled function, and where its instructions end, as Cranelift says. Out: its words as a [`Listing`], and where its constants
//! are; or a [`GivenUp`] why they are not understood. The rule: each word is one of these, and nothing is left over.
//!
//! | what | where |
//! |---|---|
//! | instructions | from the start of each block to that of the next one, or the end of them all |
//! | a jump table | behind `adr x, table; ldrsw; add; br`, up to the start of the next block; each entry leads to an instruction |
//! | an address | behind `ldr x, address; b over`, 8 bytes |
//! | constants | behind all instructions |

use cranelift_module::{ModuleReloc, ModuleRelocTarget};

use super::decode::decode;
use super::instruction::{Branch, Instruction, Kind};
use super::listing::{Content, Listing, Slot};
use super::registers::CallRegisters;
use crate::codegen::compiled::{CompiledFunction, GivenUp};

/// Bytes of an instruction.
pub(crate) const WORD: u32 = 4;

/// Empty slots in front of a loop.
const ROOM: usize = 4;

/// Functions with more bytes have branches that do not reach, and code that helps them, between blocks.
const LARGEST: usize = 1 << 20;

/// Reads a function whose instructions end at `end`.
pub(crate) fn read(function: &CompiledFunction, end: u32, calls: CallRegisters) -> Result<Listing, GivenUp> {
    let code = function.code.get(..end as usize).ok_or(GivenUp::Unaccounted)?;
    let (words, rest) = code.as_chunks();
    let is_own = |relocation: &ModuleReloc| matches!(relocation.name, ModuleRelocTarget::FunctionOffset(..));
    if function.relocations.iter().any(is_own) || !rest.is_empty() || function.code.len() > LARGEST {
        return Err(GivenUp::Reference);
    }
    let words: Vec<u32> = words.iter().map(|&word| u32::from_le_bytes(word)).collect();
    let mut is_entry = vec![false; words.len()];
    for &entry in function.entries.iter().chain([&0]) {
        *is_entry.get_mut((entry / WORD) as usize).ok_or(GivenUp::Reference)? = true;
    }
    let mut is_relocated = vec![false; words.len()];
    for relocation in &function.relocations {
        if let Some(relocated) = is_relocated.get_mut((relocation.offset / WORD) as usize) {
            *relocated = true;
        }
    }
    let mut reader = Reader { words, is_entry, is_relocated, listing: Listing::default() };
    reader.all()?;
    let listing = reader.listing;
    if !refers_to_instructions(&listing, function.code.len()) {
        return Err(GivenUp::Reference);
    }
    Ok(Listing { calls, ..with_room(listing) })
}

/// The listing with empty slots in front of loops that control falls into.
fn with_room(listing: Listing) -> Listing {
    let slots = listing.slots;
    let mut is_loop = vec![false; slots.len()];
    for (index, slot) in slots.iter().enumerate() {
        if let Content::Instruction {
            instruction: Instruction { kind: Kind::Branch(..), .. }, to: Some(to), ..
        } = slot.content
            && let Some(before) = (to as usize).checked_sub(1).filter(|_| to as usize <= index)
            && let Content::Instruction { instruction, .. } = slots[before].content
        {
            is_loop[to as usize] = instruction.falls_through();
        }
    }
    let mut made = Listing { words: Vec::with_capacity(slots.len()), ..Listing::default() };
    for (slot, is_loop) in slots.iter().zip(is_loop) {
        if is_loop {
            made.slots.extend([Slot { content: Content::Gone, ..*slot }; ROOM]);
        }
        made.words.push(made.slots.len() as u32);
        made.slots.push(*slot);
    }
    // Constants are counted on from behind all slots.
    let behind = (made.slots.len() - made.words.len()) as u32;
    let label = |word: u32| made.words.get(word as usize).copied().unwrap_or(word + behind);
    for slot in &mut made.slots {
        match &mut slot.content {
            Content::Instruction { to: Some(to), .. } => *to = label(*to),
            Content::TableEntry { table, to } => (*table, *to) = (label(*table), label(*to)),
            _ => {}
        }
    }
    made
}

struct Reader {
    words: Vec<u32>,
    is_entry: Vec<bool>,
    is_relocated: Vec<bool>,
    listing: Listing,
}

impl Reader {
    fn all(&mut self) -> Result<(), GivenUp> {
        let mut falls_through = false;
        while self.at() < self.words.len() {
            let at = self.at();
            let instruction = decode(self.words[at]);
            let to = self.target(at, &instruction)?;
            let is_relocated = self.is_relocated[at];
            self.push(Content::Instruction { instruction, to, is_relocated });
            falls_through = instruction.falls_through();
            if self.is_entry.get(at + 1).is_none_or(|&is_entry| is_entry) {
                continue;
            }
            match instruction.kind {
                Kind::Jump => self.table()?,
                // Over an address of 8 bytes, which the instruction before loads.
                Kind::Branch(Branch::Always, 3) if !is_relocated && self.loads(at + 1) => {
                    self.push(Content::Data(self.words[at + 1]));
                    self.push(Content::Data(*self.words.get(at + 2).ok_or(GivenUp::Unaccounted)?));
                }
                _ if !falls_through => return Err(GivenUp::Unaccounted),
                _ => {}
            }
        }
        if falls_through { Err(GivenUp::Unaccounted) } else { Ok(()) }
    }

    fn at(&self) -> usize {
        self.listing.slots.len()
    }

    fn push(&mut self, content: Content) {
        let from = self.listing.slots.len() as u32;
        self.listing.slots.push(Slot { content, from });
    }

    /// The slot that an instruction refers to; for constants, one behind all.
    fn target(&self, at: usize, instruction: &Instruction) -> Result<Option<u32>, GivenUp> {
        let place = |distance: i32| u32::try_from(at as i64 + i64::from(distance)).map_err(|_| GivenUp::Reference);
        match instruction.kind {
            // A jump to another function.
            Kind::Branch(Branch::Always, _) if self.is_relocated[at] => Err(GivenUp::Reference),
            Kind::Branch(_, distance) => place(distance).map(Some),
            Kind::PcRelative(_) if self.is_relocated[at] => Err(GivenUp::Reference),
            Kind::PcRelative(distance) if distance % WORD as i32 == 0 => place(distance / WORD as i32).map(Some),
            Kind::PcRelative(_) => Err(GivenUp::Reference),
            // `adrp`, and calls.
            Kind::Fixed if instruction.word >> 24 & 0x9f == 0x90 && !self.is_relocated[at] => {
                Err(GivenUp::Reference)
            }
            Kind::Call if instruction.word >> 26 == 0b100101 && !self.is_relocated[at] => Err(GivenUp::Reference),
            _ => Ok(None),
        }
    }

    /// Whether the instruction before the last one loads what is in a slot.
    fn loads(&self, slot: usize) -> bool {
        slot.checked_sub(2).is_some_and(|before| match self.listing.slots[before].content {
            Content::Instruction { instruction: Instruction { kind: Kind::PcRelative(_), .. }, to, .. } => {
                to == Some(slot as u32)
            }
            _ => false,
        })
    }

    /// Reads a jump table, which an `adr` three instructions before its jump refers to.
    fn table(&mut self) -> Result<(), GivenUp> {
        let table = self.at();
        let adr = table.checked_sub(4).and_then(|adr| match self.listing.slots[adr].content {
            Content::Instruction { to, .. } => to,
            _ => None,
        });
        if adr != Some(table as u32) {
            return Err(GivenUp::Unaccounted);
        }
        while self.at() < self.words.len() && !self.is_entry[self.at()] {
            let distance = self.words[self.at()].cast_signed();
            let to = table as i64 + i64::from(distance / WORD as i32);
            let to = u32::try_from(to).ok().filter(|_| distance % WORD as i32 == 0).ok_or(GivenUp::Reference)?;
            self.push(Content::TableEntry { table: table as u32, to });
        }
        Ok(())
    }
}

/// Whether branches and tables lead to instructions, and addresses to tables, data or constants.
fn refers_to_instructions(listing: &Listing, size: usize) -> bool {
    let slots = &listing.slots;
    let is_instruction =
        |to: u32| matches!(slots.get(to as usize), Some(Slot { content: Content::Instruction { .. }, .. }));
    slots.iter().all(|slot| match slot.content {
        Content::Instruction {
            instruction: Instruction { kind: Kind::PcRelative(_), .. }, to: Some(to), ..
        } => !is_instruction(to) && (to * WORD) as usize <= size,
        Content::Instruction { to: Some(to), .. } | Content::TableEntry { to, .. } => is_instruction(to),
        _ => true,
    })
}
