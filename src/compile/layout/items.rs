//! The code of a function, read back.
//!
//! In: a compiled function. Out: its bytes as [`Item`]s, in order. What control does not reach from an entry is data: jump
//! tables behind indirect jumps, constants behind all code. Bytes that nothing refers to, and are 0, are padding: they go.

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind};

use super::shorten::{self, Bytes};
use crate::compile::CompiledFunction;

/// A piece of code.
pub(super) struct Item {
    /// Byte offset in the code as it was.
    pub(super) start: u32,
    /// Its size there.
    pub(super) size: u32,
    pub(super) kind: Kind,
}

/// What is done with it.
pub(super) enum Kind {
    /// An instruction, as it is.
    Plain,
    /// One that has fewer bytes.
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
pub(super) fn read(function: &CompiledFunction, shortens: bool) -> Option<Vec<Item>> {
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
            if let Kind::Relative { to, .. } = kind
                && to > last
            {
                referred = referred.min(to);
            }
            items.push(Item { start: at, size: end - at, kind });
            at = end;
            is_table = instruction.mnemonic() == Mnemonic::Jmp && instruction.op0_kind() == OpKind::Register;
            if ends_flow(&instruction) {
                break;
            }
        }
        if at == next {
            continue;
        }
        if is_table && (next - at).is_multiple_of(4) && next < size {
            items.push(Item { start: at, size: next - at, kind: Kind::Table });
            continue;
        }
        // A table behind all code has no end that is known.
        if is_table {
            return None;
        }
        let start = if next == size { referred.max(at) } else { at };
        let padding = &code[at as usize..start as usize];
        if padding.iter().any(|&byte| byte != 0) {
            return None;
        }
        if start < next {
            items.push(Item { start, size: next - start, kind: Kind::Data });
        }
    }
    Some(items)
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
