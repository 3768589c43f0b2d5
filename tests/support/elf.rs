//! Writes BPF objects, as a compiler with one section for each function would.

use object::write::{Object, Symbol, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope};

use super::interp::Order;

/// An object with a global function for each name, in a section `.text.<name>`; the first section is `.text`.
///
/// The symbols have no sizes, so that functions which a function's code calls by distance are found by their calls.
pub fn object_of(functions: &[(&str, &[u8])]) -> Vec<u8> {
    object_in(Order::Little, functions)
}

/// The same for machines of this byte order, of little-endian slots.
pub fn object_in(order: Order, functions: &[(&str, &[u8])]) -> Vec<u8> {
    let endianness = if order == Order::Big { Endianness::Big } else { Endianness::Little };
    let mut elf = Object::new(BinaryFormat::Elf, Architecture::Bpf, endianness);
    for (index, (name, code)) in functions.iter().enumerate() {
        let section_name = if index == 0 { ".text".to_owned() } else { format!(".text.{name}") };
        let section = elf.add_section(Vec::new(), section_name.into_bytes(), SectionKind::Text);
        let swapped: Vec<u8>;
        let code = if order == Order::Big {
            swapped = big_endian(code);
            &swapped
        } else {
            *code
        };
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

/// Little-endian slots as big-endian ones: the fields swapped, and the register fields change places (RFC 9669 section 3.1).
fn big_endian(code: &[u8]) -> Vec<u8> {
    let swapped = |slot: &[u8]| {
        let registers = slot[1].rotate_left(4);
        [slot[0], registers, slot[3], slot[2], slot[7], slot[6], slot[5], slot[4]]
    };
    code.chunks_exact(8).flat_map(swapped).collect()
}
