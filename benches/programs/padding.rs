//! A BPF object with one function that is never called, to put in front of others.

use object::write::{Object, Symbol, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope};

use super::flat::insn;

/// An object with a function of about `size` stores.
pub fn object(size: usize) -> Vec<u8> {
    let mut code = Vec::new();
    for index in 0..size {
        // *(u32 *)(r1 + 12 * index) = index: nothing that can be merged or left out.
        code.extend(insn(0x62, 1, 0, 12 * index as i16, index as u32));
    }
    code.extend(insn(0xb7, 0, 0, 0, 0)); // r0 = 0
    code.extend(insn(0x95, 0, 0, 0, 0)); // exit
    let mut elf = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
    let section = elf.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
    let value = elf.append_section_data(section, &code, 8);
    elf.add_symbol(Symbol {
        name: b"padding".to_vec(),
        value,
        size: code.len() as u64,
        kind: SymbolKind::Text,
        scope: SymbolScope::Dynamic,
        weak: false,
        section: SymbolSection::Section(section),
        flags: SymbolFlags::None,
    });
    elf.write().expect("a section and a symbol can be written")
}
