//! A listing to bytes, and everything that refers to them.
//!
//! In: a function and its [`Listing`]. Out: the function with new code, relocations, locations, entries and unwind information. The
//! rule: where one of these has no place in the new code, the function stays as it was.

use cranelift_codegen::isa::TargetIsa;

use super::fields::with;
use super::instruction::{Branch, Instruction, Kind};
use super::listing::{Content, Listing};
use super::read::WORD;
use crate::codegen::compiled::{CodeRange, CompiledFunction, GivenUp};
use crate::codegen::unwind::Unwind;

/// Where each slot lies in the new code.
pub(crate) struct Layout {
    /// The byte offset of each slot. A slot with nothing in it has the next one's.
    starts: Vec<u32>,
    /// The slot of each word of Cranelift's code.
    words: Vec<u32>,
    /// Past the last instruction.
    end: u32,
    /// Bytes before the constants in Cranelift's code, and in the new one.
    constants: (u32, u32),
}

impl Layout {
    fn new(function: &CompiledFunction, listing: &Listing) -> Layout {
        let mut at = 0;
        let mut starts = Vec::with_capacity(listing.slots.len() + 1);
        for slot in &listing.slots {
            starts.push(at);
            at += if matches!(slot.content, Content::Gone) { 0 } else { WORD };
        }
        let was = listing.words.len() as u32 * WORD;
        let align = u32::try_from(function.align).unwrap_or(1).max(1);
        // Constants stay as they were aligned.
        let now = if function.code.len() as u32 == was { at } else { at + was.wrapping_sub(at) % align };
        Layout { starts, words: listing.words.clone(), end: at, constants: (was, now) }
    }

    /// Where the instructions end.
    pub(crate) fn end(&self) -> u32 {
        self.end
    }

    /// The offset of what was in a slot, or behind all slots.
    pub(crate) fn slot(&self, slot: u32) -> u32 {
        let behind = |slot: u32| (slot - self.starts.len() as u32) * WORD + self.constants.1;
        self.starts.get(slot as usize).copied().unwrap_or_else(|| behind(slot))
    }

    /// Where a byte of Cranelift's code lies.
    fn byte(&self, offset: u32) -> u32 {
        if offset >= self.constants.0 {
            offset - self.constants.0 + self.constants.1
        } else {
            let slot = self.words.get((offset / WORD) as usize).map_or(self.end, |&slot| self.slot(slot));
            slot + offset % WORD
        }
    }
}

/// Writes a function.
pub(crate) fn write(
    function: &CompiledFunction,
    listing: &Listing,
    isa: &dyn TargetIsa,
) -> Result<(CompiledFunction, Layout), GivenUp> {
    let layout = Layout::new(function, listing);
    let code = written(function, listing, &layout).ok_or(GivenUp::Reference)?;
    let unwind = match &function.unwind {
        None => None,
        Some(unwind) => {
            let mut rows = unwind.rows(isa).ok_or(GivenUp::Unwind)?;
            rows.length = code.len() as u32;
            rows.rows.iter_mut().for_each(|(offset, _)| *offset = layout.byte(*offset));
            Some(Unwind::Rows(rows))
        }
    };
    let mut relocations = function.relocations.clone();
    for relocation in &mut relocations {
        relocation.offset = layout.byte(relocation.offset);
    }
    let mut entries: Vec<u32> = function.entries.iter().map(|&entry| layout.byte(entry)).collect();
    entries.retain(|&entry| entry < layout.end());
    entries.sort_unstable();
    entries.dedup();
    let made = CompiledFunction {
        id: function.id,
        function: function.function,
        code,
        align: function.align,
        relocations,
        unwind,
        locations: locations(function, listing, &layout),
        entries,
        frame: function.frame.clone(),
        keeping: function.keeping.clone(),
        optimised: function.optimised.clone(),
        steps: function.steps,
    };
    Ok((made, layout))
}

/// The bytes; none if something does not reach.
fn written(function: &CompiledFunction, listing: &Listing, layout: &Layout) -> Option<Vec<u8>> {
    let mut code = Vec::with_capacity(function.code.len());
    for slot in &listing.slots {
        let at = code.len() as u32;
        let word = match slot.content {
            Content::Gone => continue,
            Content::Data(word) => word,
            Content::TableEntry { table, to } => layout.slot(to).wrapping_sub(layout.slot(table)),
            Content::Instruction { instruction, to: None, .. } => instruction.word,
            Content::Instruction { instruction, to: Some(to), .. } => {
                let distance = layout.slot(to).wrapping_sub(at).cast_signed();
                referring(&instruction, distance)?
            }
        };
        code.extend_from_slice(&word.to_le_bytes());
    }
    let (was, now) = layout.constants;
    code.resize(now as usize, 0);
    code.extend_from_slice(function.code.get(was as usize..)?);
    Some(code)
}

/// An instruction with another distance, in bytes.
fn referring(instruction: &Instruction, distance: i32) -> Option<u32> {
    let word = instruction.word;
    let placed = |value: i32, at: u8, size: u8| {
        let limit = 1 << (size - 1);
        (-limit..limit).contains(&value).then(|| with(word, at, size, value.cast_unsigned()))
    };
    let is_adr = word >> 24 & 0x1f == 0b10000;
    match instruction.kind {
        Kind::PcRelative(_) if is_adr => {
            let low = distance.cast_unsigned() & 3;
            placed(distance >> 2, 5, 19).map(|word| with(word, 29, 2, low))
        }
        Kind::PcRelative(_) | Kind::Branch(Branch::Flags | Branch::Zero, _) => placed(distance / 4, 5, 19),
        Kind::Branch(Branch::Bit, _) => placed(distance / 4, 5, 14),
        Kind::Branch(Branch::Always, _) => placed(distance / 4, 0, 26),
        _ => None,
    }
}

/// Where each instruction comes from.
fn locations(function: &CompiledFunction, listing: &Listing, layout: &Layout) -> Vec<CodeRange> {
    let mut made: Vec<CodeRange> = Vec::with_capacity(function.locations.len());
    for (index, slot) in listing.slots.iter().enumerate() {
        if matches!(slot.content, Content::Gone) {
            continue;
        }
        let offset = slot.from * WORD;
        let behind = function.locations.partition_point(|range| range.start <= offset);
        let Some(range) = behind.checked_sub(1).map(|index| function.locations[index]) else { continue };
        if offset >= range.end {
            continue;
        }
        let start = layout.slot(index as u32);
        match made.last_mut() {
            Some(last) if last.end == start && last.offset == range.offset => last.end = start + WORD,
            _ => made.push(CodeRange { start, end: start + WORD, offset: range.offset }),
        }
    }
    made
}
