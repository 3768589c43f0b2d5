//! The functions of an object, and what each refers to: as much as tells which half it belongs to.
//!
//! In: an object. Out: [`Functions`]: the byte ranges between symbols of functions, and for each what its instructions name.
//! The rule: everything is linear in the object.

use object::elf;

use crate::elf::instruction::{self, SLOT, Slot};
use crate::elf::{Object, RawRelocation, SymbolHome};
use crate::program::{Binding, names};

/// A function.
pub(super) struct Function {
    /// Its symbol's name; `section+0x18` where it has none.
    pub(super) name: String,
    /// ELF index of its section.
    pub(super) section: usize,
    /// Byte offsets in that.
    pub(super) start: u64,
    pub(super) end: u64,
    /// Other objects see it.
    pub(super) is_global: bool,
    /// What its instructions refer to, in order.
    pub(super) uses: Vec<Use>,
}

/// A reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// To a function, by its index.
    Function(usize),
    /// To a data section, by its ELF index.
    Data(usize),
    /// To an undefined or COMMON symbol, by its index.
    Outside(usize),
}

/// All functions of an object, by section and start.
pub(super) struct Functions {
    pub(super) list: Vec<Function>,
}

impl Functions {
    pub(super) fn new(object: &Object<'_>) -> Functions {
        let mut functions = Functions { list: found(object) };
        for index in 0..functions.list.len() {
            functions.list[index].uses = functions.uses(object, &functions.list[index]);
        }
        functions
    }

    /// The function that holds the instruction at an offset of a section.
    pub(super) fn at(&self, section: usize, offset: u64) -> Option<usize> {
        let behind = self.list.partition_point(|function| (function.section, function.start) <= (section, offset));
        let index = behind.checked_sub(1)?;
        let function = &self.list[index];
        (function.section == section && offset < function.end).then_some(index)
    }

    /// The functions of a section.
    pub(super) fn of_section(&self, section: usize) -> std::ops::Range<usize> {
        let first = self.list.partition_point(|function| function.section < section);
        let last = self.list.partition_point(|function| function.section <= section);
        first..last
    }

    /// What a relocation at a place refers to.
    pub(super) fn target(&self, object: &Object<'_>, section: usize, relocation: &RawRelocation) -> Option<Use> {
        let symbol = &object.symbols[relocation.symbol];
        match symbol.home {
            SymbolHome::Undefined | SymbolHome::Common => Some(Use::Outside(relocation.symbol)),
            SymbolHome::Absolute => None,
            SymbolHome::Section(home) if object.sections[home].has(elf::SHF_EXECINSTR) => {
                let addend = addend(object, section, relocation);
                let offset = symbol.value.wrapping_add_signed(addend);
                self.at(home, offset).map(Use::Function)
            }
            SymbolHome::Section(home) => Some(Use::Data(home)),
        }
    }

    fn uses(&self, object: &Object<'_>, function: &Function) -> Vec<Use> {
        let section = &object.sections[function.section];
        let relocations = relocations_within(&section.relocations, function.start, function.end);
        let mut uses: Vec<Use> =
            relocations.iter().filter_map(|relocation| self.target(object, function.section, relocation)).collect();
        let within = &section.data[function.start as usize..function.end as usize];
        for (index, slot) in instruction::slots(within, object.endianness()) {
            let Some(distance) = slot.local_call() else { continue };
            let at = function.start + (index * SLOT) as u64;
            if relocations.binary_search_by_key(&at, |relocation| relocation.offset).is_ok() {
                continue;
            }
            let target = at.wrapping_add_signed((distance + 1) * SLOT as i64);
            uses.extend(self.at(function.section, target).map(Use::Function));
        }
        uses
    }
}

/// The relocations of a section between two offsets.
pub(super) fn relocations_within(relocations: &[RawRelocation], start: u64, end: u64) -> &[RawRelocation] {
    let first = relocations.partition_point(|relocation| relocation.offset < start);
    let last = relocations.partition_point(|relocation| relocation.offset < end);
    &relocations[first..last.max(first)]
}

/// What is added to a symbol's address, in place or beside.
fn addend(object: &Object<'_>, section: usize, relocation: &RawRelocation) -> i64 {
    let section = &object.sections[section];
    if let Some(addend) = relocation.addend {
        return addend;
    }
    if !section.has(elf::SHF_EXECINSTR) {
        let at = usize::try_from(relocation.offset).unwrap_or(usize::MAX);
        let bytes = section.data.get(at..).and_then(|rest| rest.first_chunk::<8>());
        return bytes.map_or(0, |&bytes| match object.endian {
            object::Endianness::Little => i64::from_le_bytes(bytes),
            object::Endianness::Big => i64::from_be_bytes(bytes),
        });
    }
    match Slot::at(section.data, relocation.offset, object.endianness()) {
        Some(slot) if slot.is_call() => (i64::from(slot.imm()) + 1) * SLOT as i64,
        Some(_) => {
            instruction::ld_imm64_addend(section.data, relocation.offset, object.endianness()).unwrap_or_default()
        }
        None => 0,
    }
}

/// The functions, without what they refer to.
fn found(object: &Object<'_>) -> Vec<Function> {
    let mut starts: Vec<(usize, u64, bool, &str)> = Vec::new();
    for symbol in &object.symbols {
        let SymbolHome::Section(section) = symbol.home else { continue };
        let home = &object.sections[section];
        let is_code = home.has(elf::SHF_EXECINSTR) && home.is_of_program();
        if is_code && symbol.kind == elf::STT_FUNC && symbol.value < home.data.len() as u64 {
            let start = symbol.value / SLOT as u64 * SLOT as u64;
            starts.push((section, start, symbol.binding == Binding::Local, symbol.name));
        }
    }
    for (index, section) in object.sections.iter().enumerate() {
        if section.has(elf::SHF_EXECINSTR) && section.is_of_program() && !section.data.is_empty() {
            starts.push((index, 0, true, ""));
        }
    }
    // Of the names of one place, what others see comes first, and no name last.
    starts.sort_by_key(|&(section, start, is_local, name)| (section, start, name.is_empty(), is_local));
    starts.dedup_by_key(|&mut (section, start, ..)| (section, start));
    let ends = starts.iter().skip(1).map(Some).chain([None]).zip(&starts);
    let ends: Vec<u64> = ends
        .map(|(next, &(section, ..))| match next {
            Some(&(of, start, ..)) if of == section => start,
            _ => object.sections[section].data.len() as u64,
        })
        .collect();
    let function = |((section, start, is_local, name), end): ((usize, u64, bool, &str), u64)| Function {
        name: match name {
            "" => format!("{}+{start:#x}", names::printable(object.sections[section].name)),
            name => names::owned(name),
        },
        section,
        start,
        end,
        is_global: !is_local,
        uses: Vec::new(),
    };
    starts.into_iter().zip(ends).map(function).collect()
}
