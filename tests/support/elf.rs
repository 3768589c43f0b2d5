//! Writes BPF objects, as a compiler with one section for each function would.

use object::write::{Object, Symbol, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope};

/// An object with a global function for each name, in a section `.text.<name>`; the first section is `.text`.
///
/// The symbols have no sizes, so that functions which a function's code calls by distance are found by their calls.
pub fn object_of(functions: &[(&str, &[u8])]) -> Vec<u8> {
    let mut elf = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
    for (index, (name, code)) in functions.iter().enumerate() {
        let section_name = if index == 0 { ".text".to_owned() } else { format!(".text.{name}") };
        let section = elf.add_section(Vec::new(), section_name.into_bytes(), SectionKind::Text);
        elf.append_section_data(section, code, 8);
        elf.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value: 0,
            size: 0,
            kind: SymbolKind::Text,
            scope: SymbolScope::Dynamic,
            weak: false,
            section: SymbolSection::Section(section),
            flags: SymbolFlags::None,
        });
    }
    elf.write().expect("sections, symbols and no relocations can be written")
}
