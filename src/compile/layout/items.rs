//! The code of a function, read back.
//!
//! In: a compiled function. Out: its bytes as [`Item`]s, in order. What control does not reach is data: jump tables behind
//! indirect jumps, constants behind all code. Bytes that nothing refers to, and are 0, are padding: they go.

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind};

use super::place;
use super::registers::Uses;
use super::shorten::{self, Bytes};
use super::tables;
use crate::compile::CompiledFunction;

/// A piece of code.
#[derive(Clone, Copy)]
pub(super) struct Item {
    /// What its place is called: byte offset in the code as it was, or beyond that code if it was not in it.
    pub(super) name: u32,
    /// Bytes that were in its place.
    pub(super) extent: u32,
    /// Where its bytes are in the code as it was.
    pub(super) start: u32,
    /// Their number.
    pub(super) size: u32,
    pub(super) kind: Kind,
    /// Whether a relocation is in it.
    pub(super) is_relocated: bool,
    pub(super) uses: Uses,
}

/// The pieces, in the order in which they will lie.
pub(super) struct Items {
    list: Vec<Item>,
    /// For each byte of the code as it was, the index of the item that it was in, or of the first one behind it.
    at: Vec<u32>,
    /// The indexes of those that were not there, by name, from the first name behind that code on.
    new: Vec<u32>,
}

/// The index of no item.
const NONE: u32 = u32::MAX;

impl std::ops::Deref for Items {
    type Target = [Item];

    fn deref(&self) -> &[Item] {
        &self.list
    }
}

impl std::ops::DerefMut for Items {
    fn deref_mut(&mut self) -> &mut [Item] {
        &mut self.list
    }
}

impl Items {
    /// Pieces of code that had so many bytes.
    pub(super) fn new(list: Vec<Item>, size: u32) -> Items {
        let mut items = Items { at: Vec::with_capacity(size as usize), new: Vec::new(), list };
        let mut old = Vec::with_capacity(items.list.len());
        for (index, item) in (0..).zip(&items.list) {
            if item.name < size {
                old.push(index);
                continue;
            }
            let name = (item.name - size) as usize;
            if name >= items.new.len() {
                items.new.resize(name + 1, NONE);
            }
            items.new[name] = index;
        }
        // They rarely are not.
        old.sort_unstable_by_key(|&index| items.list[index as usize].name);
        for index in old {
            items.at.resize(items.list[index as usize].end() as usize, index);
        }
        items.at.resize(size as usize, NONE);
        items
    }

    /// What they are made of: the list, the bytes of the code as it was, and a name that none has, nor any number above it.
    pub(super) fn into_list(self) -> (Vec<Item>, u32, u32) {
        let (size, new) = (self.size(), self.new.len() as u32);
        (self.list, size, size + new)
    }

    /// The one of a name.
    pub(super) fn index_of(&self, name: u32) -> Option<usize> {
        let index = match name.checked_sub(self.size()) {
            None => self.at.get(name as usize),
            Some(new) => self.new.get(new as usize),
        };
        let &index = index.filter(|&&index| index != NONE)?;
        (self.list[index as usize].name == name).then_some(index as usize)
    }

    /// The one that a byte of the code was in.
    pub(super) fn containing(&self, offset: u32) -> Option<usize> {
        let &index = self.at.get(offset as usize).filter(|&&index| index != NONE)?;
        (self.list[index as usize].name <= offset).then_some(index as usize)
    }

    /// Bytes of the code as it was.
    pub(super) fn size(&self) -> u32 {
        self.at.len() as u32
    }
}

/// What is done with it.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// An instruction, as it is.
    Plain,
    /// One that has other bytes, or none.
    Short(Bytes),
    /// A direct branch, of any size.
    Branch {
        /// The processor's number of the condition; none for a jump.
        condition: Option<u8>,
        /// Where it goes, in the code as it was.
        to: u32,
    },
    /// An instruction with an address relative to itself.
    Relative {
        /// What it refers to, in the code as it was.
        to: u32,
        /// At which byte of it the distance is.
        at: u8,
    },
    /// Distances of blocks from its start, of 4 bytes each.
    Table,
    /// Constants.
    Data,
}

/// Reads a function; none if something in it is not understood. With `shortens`, instructions have shorter encodings.
pub(super) fn read(function: &CompiledFunction, shortens: bool) -> Option<Items> {
    let code = &function.code[..];
    let size = u32::try_from(code.len()).ok()?;
    let mut relocated: Vec<u32> = function.relocations.iter().map(|relocation| relocation.offset).collect();
    relocated.sort_unstable();
    let mut entries: Vec<u32> = std::iter::once(0).chain(function.entries.iter().copied()).collect();
    entries.sort_unstable();
    entries.dedup();
    let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    let mut items = Vec::with_capacity(code.len() / 4);
    // The least place behind all code that something refers to.
    let mut referred = size;
    let last = *entries.last()?;
    for (index, &entry) in entries.iter().enumerate() {
        let next = entries.get(index + 1).copied().unwrap_or(size);
        let mut at = entry;
        decoder.set_position(at as usize).ok()?;
        decoder.set_ip(u64::from(at));
        let mut is_table = false;
        // The farthest place that a branch of this block leads to: some instructions of Cranelift's have branches inside.
        let mut inside = 0;
        while at < next {
            decoder.decode_out(&mut instruction);
            let end = at.checked_add(u32::try_from(instruction.len()).ok()?).filter(|&end| end <= next)?;
            let bytes = &code[at as usize..end as usize];
            let is_relocated =
                relocated.get(relocated.partition_point(|&place| place < at)).is_some_and(|&place| place < end);
            let kind = if is_relocated {
                Kind::Plain
            } else {
                let displacement = decoder.get_constant_offsets(&instruction).displacement_offset();
                kind(&instruction, bytes, displacement, shortens)?
            };
            match kind {
                Kind::Relative { to, .. } if to > last => referred = referred.min(to),
                Kind::Branch { to, .. } if to < next => inside = inside.max(to),
                _ => {}
            }
            let uses = Uses::new(&instruction);
            let (size, extent) = (end - at, end - at);
            items.push(Item { name: at, extent, start: at, size, kind, is_relocated, uses });
            at = end;
            is_table = instruction.mnemonic() == Mnemonic::Jmp && instruction.op0_kind() == OpKind::Register;
            if ends_flow(&instruction) && inside < at {
                break;
            }
        }
        if at == next {
            continue;
        }
        if is_table {
            // Behind all code, constants may follow.
            let end = if next < size { Some(next) } else { tables::size(&items, code)?.checked_add(at) };
            let end = end.filter(|&end| end <= next && (end - at).is_multiple_of(4))?;
            items.push(Item::data(at, end, Kind::Table));
            at = end;
        }
        if at == next {
            continue;
        }
        // Only constants behind all code are not reached.
        let start = (next == size).then(|| referred.max(at))?;
        let padding = &code[at as usize..start as usize];
        if padding.iter().any(|&byte| byte != 0) {
            return None;
        }
        if start < next {
            items.push(Item::data(start, next, Kind::Data));
        }
    }
    Some(Items::new(items, size))
}

impl Item {
    fn data(start: u32, end: u32, kind: Kind) -> Item {
        let size = end - start;
        Item { name: start, extent: size, start, size, kind, is_relocated: false, uses: Uses::default() }
    }

    /// One that was not there.
    pub(super) fn new(name: u32, bytes: Bytes, uses: Uses) -> Item {
        Item { name, extent: 0, start: 0, size: 0, kind: Kind::Short(bytes), is_relocated: false, uses }
    }

    /// A branch that was not there.
    pub(super) fn branch(name: u32, condition: Option<u8>, to: u32) -> Item {
        let kind = Kind::Branch { condition, to };
        let size = place::long(condition);
        Item { name, extent: 0, start: 0, size, kind, is_relocated: false, uses: Uses::NOTHING }
    }

    /// The place of one, with what another is.
    pub(super) fn replaced(self, by: Item) -> Item {
        Item { name: self.name, extent: self.extent, ..by }
    }

    /// Where what was in its place ended.
    pub(super) fn end(&self) -> u32 {
        self.name + self.extent
    }

    /// Its bytes in the code as it was.
    pub(super) fn bytes<'a>(&self, code: &'a [u8]) -> Option<&'a [u8]> {
        code.get(self.start as usize..(self.start + self.size) as usize)
    }

    pub(super) fn is_data(&self) -> bool {
        matches!(self.kind, Kind::Data | Kind::Table)
    }

    /// Lets a branch lead to another item.
    pub(super) fn lead_to(&mut self, name: u32, inverts: bool) {
        if let Kind::Branch { condition, to } = &mut self.kind {
            *to = name;
            *condition = condition.map(|condition| condition ^ u8::from(inverts));
        }
    }

    /// Leaves nothing of it.
    pub(super) fn remove(&mut self) {
        self.kind = Kind::Short(Bytes::NONE);
        self.uses = Uses::NOTHING;
    }
}

fn ends_flow(instruction: &Instruction) -> bool {
    matches!(instruction.mnemonic(), Mnemonic::Jmp | Mnemonic::Ret | Mnemonic::Ud2)
}

/// What is done with an instruction that no relocation is in.
fn kind(instruction: &Instruction, bytes: &[u8], displacement: usize, shortens: bool) -> Option<Kind> {
    if instruction.is_invalid() {
        return None;
    }
    let is_near = (0..instruction.op_count()).any(|operand| {
        matches!(instruction.op_kind(operand), OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64)
    });
    if is_near {
        let to = u32::try_from(instruction.near_branch_target()).ok()?;
        let condition = match bytes {
            [0x0f, second, ..] if second & 0xf0 == 0x80 => Some(second & 0xf),
            [first, _] if first & 0xf0 == 0x70 => Some(first & 0xf),
            [0xe9, ..] | [0xeb, _] => None,
            _ => return None,
        };
        return Some(Kind::Branch { condition, to });
    }
    if instruction.is_ip_rel_memory_operand() {
        let to = u32::try_from(instruction.ip_rel_memory_address()).ok()?;
        return Some(Kind::Relative { to, at: u8::try_from(displacement).ok()? });
    }
    let short = if shortens { shorten::shorten(bytes) } else { None };
    Some(short.map_or(Kind::Plain, Kind::Short))
}
