//! Jump tables of LLVM 22 and later, which all functions of an object have in one section `.jumptables`.
//!
//! In: the objects and the layout. Out: one data section for each table that code refers to.
//!
//! An entry is a byte offset in the code section of the function that uses the table, without a relocation. So a
//! table belongs to the code section with the `ld_imm64` of its address. Its extent is from its symbol,
//! `BPF.JT.<function>.<table>`, to the next one.

use std::collections::HashMap;

use object::elf;

use super::error::ParseError;
use super::sections::{Home, Layout};
use crate::elf::instruction::ld_imm64_addend;
use crate::elf::{Object, RawRelocation, SymbolHome};
use crate::program::names;
use crate::program::{CodeSectionId, Contents, DataKind, DataSection, DataSectionId, FileId, Id};

/// The tables of all objects.
pub(super) struct JumpTables {
    by_section: HashMap<(usize, usize), Vec<Table>>,
}

/// One table.
struct Table {
    /// Byte offset in `.jumptables`.
    start: u64,
    /// Its name, of a symbol or of the section.
    name: String,
    owner: Option<CodeSectionId>,
    data: Option<DataSectionId>,
}

impl JumpTables {
    /// Adds the tables that code refers to to `layout`.
    pub(super) fn new(objects: &[Object<'_>], layout: &mut Layout) -> Result<Self, ParseError> {
        let mut tables = Self { by_section: HashMap::new() };
        for (object_index, object) in objects.iter().enumerate() {
            for section in 0..object.sections.len() {
                if layout.home(object_index, section) == Home::JumpTables {
                    tables.by_section.insert((object_index, section), split(object, section));
                }
            }
        }
        if tables.by_section.is_empty() {
            return Ok(tables);
        }
        for code in layout.code.ids() {
            let (object_index, section) = layout.code_origin(code);
            let object = &objects[object_index];
            for relocation in &object.sections[section].relocations {
                if let Some((table_section, offset)) = reference(object, section, relocation) {
                    tables.claim(object, (object_index, table_section), offset, code)?;
                }
            }
        }
        for (object_index, object) in objects.iter().enumerate() {
            for (section_index, section) in object.sections.iter().enumerate() {
                let Some(list) = tables.by_section.get_mut(&(object_index, section_index)) else { continue };
                let ends = list.iter().skip(1).map(|table| table.start).chain([section.size]).collect::<Vec<_>>();
                for (table, end) in list.iter_mut().zip(ends) {
                    let Some(owner) = table.owner else { continue };
                    let range = usize::try_from(table.start).ok().zip(usize::try_from(end).ok());
                    let bytes = range.and_then(|(start, end)| section.data.get(start..end)).unwrap_or_default();
                    table.data = Some(layout.data.push(DataSection {
                        file: FileId::new(object_index),
                        name: table.name.clone(),
                        group: None,
                        retained: false,
                        kind: DataKind::JumpTable(owner),
                        align: 8,
                        contents: Contents::Bytes(bytes.to_vec()),
                        relocations: Vec::new(),
                    }));
                }
            }
        }
        Ok(tables)
    }

    /// The data section of the table at `offset` of an object's `.jumptables`, and the offset in the table.
    pub(super) fn place(&self, object: usize, section: usize, offset: u64) -> Option<(DataSectionId, u64)> {
        let list = self.by_section.get(&(object, section))?;
        let table = list.get(list.partition_point(|table| table.start <= offset).checked_sub(1)?)?;
        Some((table.data?, offset - table.start))
    }

    /// Notes that code of `owner` uses the table at `offset`.
    fn claim(
        &mut self,
        object: &Object<'_>,
        at: (usize, usize),
        offset: u64,
        owner: CodeSectionId,
    ) -> Result<(), ParseError> {
        let Some(list) = self.by_section.get_mut(&at) else { return Ok(()) };
        let after = list.partition_point(|table| table.start <= offset);
        let Some(table) = after.checked_sub(1).and_then(|index| list.get_mut(index)) else { return Ok(()) };
        if *table.owner.get_or_insert(owner) == owner {
            return Ok(());
        }
        Err(ParseError::Symbol {
            file: object.name.clone(),
            symbol: table.name.clone(),
            what: "is a jump table that two code sections use; compile the object again".to_owned(),
        })
    }
}

/// The tables of one `.jumptables`, by start: one for each symbol, and one for what is before the first.
fn split(object: &Object<'_>, section: usize) -> Vec<Table> {
    let symbols = object.symbols.iter().filter(|symbol| symbol.home == SymbolHome::Section(section));
    let mut starts: Vec<(u64, &str)> = symbols
        .filter(|symbol| !symbol.is_section() && symbol.value < object.sections[section].size)
        .map(|symbol| (symbol.value, symbol.name))
        .chain([(0, object.sections[section].name)])
        .collect();
    // Stable: a symbol at 0 stays before the section's own name.
    starts.sort_by_key(|&(start, _)| start);
    starts.dedup_by_key(|&mut (start, _)| start);
    let table = |(start, name): (u64, &str)| Table { start, name: names::owned(name), owner: None, data: None };
    starts.into_iter().map(table).collect()
}

/// The section and offset that a relocation of `section`'s code refers to.
fn reference(object: &Object<'_>, section: usize, relocation: &RawRelocation) -> Option<(usize, u64)> {
    let symbol = &object.symbols[relocation.symbol];
    let SymbolHome::Section(target) = symbol.home else { return None };
    if relocation.kind != elf::R_BPF_64_64 {
        return None;
    }
    let in_place = || ld_imm64_addend(object.sections[section].data, relocation.offset, object.endianness());
    let addend = relocation.addend.or_else(in_place)?;
    Some((target, symbol.value.checked_add_signed(addend)?))
}
