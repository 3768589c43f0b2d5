//! A BPF object as one run of instructions, for engines that know no objects: rbpf, uBPF and the kernel.
//!
//! In: an object of clang's. Out: `.text` with its calls resolved, where `bench` is, and the read-only data that its
//! `lddw` instructions point to, one section after the other.

use std::collections::HashMap;
use std::path::Path;

use object::elf::{R_BPF_64_32, R_BPF_64_64};
use object::{Object, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget, SectionIndex};

/// Instructions and data.
pub struct Flat {
    /// Slots of 8 bytes.
    pub code: Vec<u8>,
    /// The slot where `bench` starts.
    pub start: usize,
    /// Read-only data.
    pub data: Vec<u8>,
    /// Slots with a `lddw`, and the offset in the data that it is to give.
    pub addresses: Vec<(usize, usize)>,
}

/// Reads an object.
pub fn flatten(path: &Path) -> Result<Flat, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let object = object::File::parse(&*bytes).map_err(|error| error.to_string())?;
    let text = object.section_by_name(".text").ok_or("no section `.text`")?;
    let code = text.data().map_err(|error| error.to_string())?.to_vec();
    let bench = object.symbol_by_name("bench").ok_or("no function `bench`")?;
    let mut flat = Flat { code, start: bench.address() as usize / 8, data: Vec::new(), addresses: Vec::new() };
    let mut places: HashMap<SectionIndex, usize> = HashMap::new();
    for (offset, relocation) in text.relocations() {
        let slot = offset as usize / 8;
        let RelocationTarget::Symbol(symbol) = relocation.target() else { return Err("odd relocation".to_owned()) };
        let symbol = object.symbol_by_index(symbol).map_err(|error| error.to_string())?;
        let name = symbol.name().unwrap_or_default();
        let section = symbol.section_index().ok_or_else(|| format!("it calls `{name}`"))?;
        let RelocationFlags::Elf { r_type } = relocation.flags() else { return Err("odd relocation".to_owned()) };
        let immediate = u64::from(flat.immediate(slot));
        match r_type {
            R_BPF_64_32 if section == text.index() => {
                // The immediate counts slots from the next instruction, less the symbol's place in its section.
                let target = (symbol.address() / 8).wrapping_add(immediate + 1) as u32;
                flat.set_immediate(slot, target.wrapping_sub(slot as u32 + 1));
            }
            R_BPF_64_64 if section != text.index() => {
                let place = match places.get(&section) {
                    Some(&place) => place,
                    None => {
                        let section = object.section_by_index(section).map_err(|error| error.to_string())?;
                        let place = flat.data.len().next_multiple_of(16);
                        flat.data.resize(place, 0);
                        flat.data.extend(section.data().map_err(|error| error.to_string())?);
                        places.insert(section.index(), place);
                        place
                    }
                };
                flat.addresses.push((slot, place + (symbol.address() + immediate) as usize));
            }
            _ => return Err(format!("a relocation of type {r_type} to `{name}`")),
        }
    }
    Ok(flat)
}

impl Flat {
    fn immediate(&self, slot: usize) -> u32 {
        let at = slot * 8 + 4;
        u32::from_le_bytes(self.code[at..at + 4].try_into().expect("4 bytes"))
    }

    /// Writes the immediate of an instruction.
    pub fn set_immediate(&mut self, slot: usize, value: u32) {
        let at = slot * 8 + 4;
        self.code[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// Writes the 64-bit immediate of a `lddw`.
    pub fn set_address(&mut self, slot: usize, value: u64) {
        self.set_immediate(slot, value as u32);
        self.set_immediate(slot + 1, (value >> 32) as u32);
    }
}

/// One instruction.
pub fn insn(opcode: u8, dst: u8, src: u8, offset: i16, immediate: u32) -> [u8; 8] {
    let [o0, o1] = offset.to_le_bytes();
    let [i0, i1, i2, i3] = immediate.to_le_bytes();
    [opcode, dst | src << 4, o0, o1, i0, i1, i2, i3]
}
