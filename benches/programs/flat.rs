//! A BPF object as one run of instructions, for engines that know no objects: rbpf, uBPF and the kernel.
//!
//! In: an object of clang's. Out: `.text` with its calls resolved, where `bench` is, and the read-only data that its
//! `lddw` instructions point to, one section after the other.

use std::collections::HashMap;
use std::path::Path;

use object::elf::{R_BPF_64_32, R_BPF_64_64};
use object::{Object, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget, SectionIndex, SymbolKind};

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
    /// The slots where functions start, in order.
    functions: Vec<usize>,
}

/// Bytes of the largest frame.
const FRAME: i32 = 512;

/// Reads an object.
pub fn flatten(path: &Path) -> Result<Flat, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let object = object::File::parse(&*bytes).map_err(|error| error.to_string())?;
    let text = object.section_by_name(".text").ok_or("no section `.text`")?;
    let code = text.data().map_err(|error| error.to_string())?.to_vec();
    let bench = object.symbol_by_name("bench").ok_or("no function `bench`")?;
    let is_function = |symbol: &object::Symbol<'_, '_>| {
        symbol.kind() == SymbolKind::Text && symbol.section_index() == Some(text.index())
    };
    let mut functions: Vec<usize> =
        object.symbols().filter(is_function).map(|symbol| symbol.address() as usize / 8).collect();
    functions.sort_unstable();
    functions.dedup();
    let start = bench.address() as usize / 8;
    let mut flat = Flat { code, start, data: Vec::new(), addresses: Vec::new(), functions };
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

    /// Lets functions that have a frame move r10 below it around their calls, for engines that give all functions one frame.
    pub fn move_frames(&mut self) {
        let slots: Vec<[u8; 8]> = self.code.as_chunks().0.to_vec();
        let ends = self.functions.iter().skip(1).copied().chain([slots.len()]);
        let mut has_frame = vec![false; slots.len()];
        for (&start, end) in self.functions.iter().zip(ends) {
            let names_it = |slot: &[u8; 8]| slot[1] & 15 == 10 || slot[1] >> 4 == 10;
            has_frame[start..end].fill(slots[start..end].iter().any(names_it));
        }
        // A call of another function of the object (RFC 9669, section 4.3.1).
        let is_call = |slot: &[u8; 8]| slot[0] == 0x85 && slot[1] >> 4 == 1;
        let is_moved = |index: usize| is_call(&slots[index]) && has_frame[index];
        let mut places = Vec::with_capacity(slots.len() + 1);
        let mut place = 0;
        for index in 0..=slots.len() {
            places.push(place);
            place += if index < slots.len() && is_moved(index) { 3 } else { 1 };
        }
        let mut code = Vec::new();
        let mut is_second = false;
        for (index, slot) in slots.iter().enumerate() {
            let mut slot = *slot;
            let own = places[index] + usize::from(is_moved(index));
            let moved = |distance: i64| {
                let to = places[(index as i64 + 1 + distance) as usize];
                to as i64 - own as i64 - 1
            };
            let is_jump = matches!(slot[0] & 7, 5 | 6) && !matches!(slot[0], 0x85 | 0x95);
            if is_second {
                is_second = false;
            } else if is_call(&slot) {
                let distance = i32::from_le_bytes(slot[4..].try_into().expect("4 bytes"));
                slot[4..].copy_from_slice(&(moved(distance.into()) as i32).to_le_bytes());
            } else if is_jump {
                let distance = i16::from_le_bytes([slot[2], slot[3]]);
                slot[2..4].copy_from_slice(&(moved(distance.into()) as i16).to_le_bytes());
            } else {
                is_second = slot[0] == 0x18;
            }
            if is_moved(index) {
                code.extend(insn(0x07, 10, 0, 0, -FRAME as u32));
                code.extend(slot);
                code.extend(insn(0x07, 10, 0, 0, FRAME as u32));
            } else {
                code.extend(slot);
            }
        }
        self.code = code;
        self.start = places[self.start];
        self.addresses.iter_mut().for_each(|(slot, _)| *slot = places[*slot]);
        self.functions.iter_mut().for_each(|slot| *slot = places[*slot]);
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
