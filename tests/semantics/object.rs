//! Writes objects of functions and words of data that refer to each other by name.

use std::collections::BTreeMap;

use object::write::{Object, Relocation, StandardSection, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};

use crate::support::asm::assemble;

/// A function of an object.
pub struct Function<'a> {
    pub name: &'a str,
    /// Assembly. `call -1` and `0 ll` are filled in.
    pub text: &'a str,
    pub weak: bool,
    /// What its 8-byte slots refer to, by number.
    pub references: &'a [(u64, &'a str)],
}

/// An object with these functions, and a section for each word of data, read-only where its name starts with `const`.
pub fn object(functions: &[Function<'_>], data: &[(&str, u64)]) -> Vec<u8> {
    let mut elf = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
    let mut symbols: BTreeMap<String, SymbolId> = BTreeMap::new();
    for &(name, word) in data {
        let (folder, kind) = match name.starts_with("const") {
            true => (".rodata", SectionKind::ReadOnlyData),
            false => (".data", SectionKind::Data),
        };
        let section = elf.add_section(Vec::new(), format!("{folder}.{name}").into_bytes(), kind);
        elf.append_section_data(section, &word.to_le_bytes(), 8);
        symbols.insert(
            name.to_owned(),
            elf.add_symbol(symbol(name, SymbolSection::Section(section), SymbolKind::Data)),
        );
    }
    let mut sections = Vec::new();
    for (index, function) in functions.iter().enumerate() {
        let section = match index {
            0 => elf.section_id(StandardSection::Text),
            _ => elf.add_section(Vec::new(), format!(".text.{}", function.name).into_bytes(), SectionKind::Text),
        };
        elf.append_section_data(section, &assemble(function.text).unwrap(), 8);
        let symbol = symbol(function.name, SymbolSection::Section(section), SymbolKind::Text);
        let id = elf.add_symbol(Symbol { weak: function.weak, ..symbol });
        symbols.insert(function.name.to_owned(), id);
        sections.push(section);
    }
    for (function, section) in functions.iter().zip(sections) {
        for &(slot, name) in function.references {
            let undefined = || elf.add_symbol(symbol(name, SymbolSection::Undefined, SymbolKind::Text));
            let symbol = *symbols.entry(name.to_owned()).or_insert_with(undefined);
            let code = assemble(function.text).unwrap();
            // R_BPF_64_32 of calls, R_BPF_64_64 of wide immediates.
            let r_type = if code[slot as usize * 8] == 0x85 { 10 } else { 1 };
            let flags = RelocationFlags::Elf { r_type };
            elf.add_relocation(section, Relocation { offset: slot * 8, symbol, addend: 0, flags }).unwrap();
        }
    }
    elf.write().unwrap()
}

fn symbol(name: &str, section: SymbolSection, kind: SymbolKind) -> Symbol {
    let is_undefined = section == SymbolSection::Undefined;
    Symbol {
        name: name.as_bytes().to_vec(),
        value: 0,
        size: 0,
        kind,
        scope: if is_undefined { SymbolScope::Unknown } else { SymbolScope::Dynamic },
        weak: false,
        section,
        flags: SymbolFlags::None,
    }
}
