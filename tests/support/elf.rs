//! Writes BPF objects, as a compiler with one section for each function would.

use std::collections::HashMap;

use object::write::{Object, Relocation, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};

use super::interp::Order;

/// An object with a global function for each name, in a section `.text.<name>`; the first section is `.text`.
///
/// The symbols have no sizes, so that functions which a function's code calls by distance are found by their calls.
pub fn object_of(functions: &[(&str, &[u8])]) -> Vec<u8> {
    object_in(Order::Little, functions)
}

/// The same for machines of this byte order, of little-endian slots.
pub fn object_in(order: Order, functions: &[(&str, &[u8])]) -> Vec<u8> {
    let functions: Vec<Calling<'_>> = functions.iter().map(|&(name, code)| (name, code, &[][..])).collect();
    object_with_calls(order, &functions)
}

/// A function: its name, its code, and the slots of it (`call -1`) that call undefined functions.
pub type Calling<'a> = (&'a str, &'a [u8], &'a [(u64, &'static str)]);

/// The same with calls of undefined functions.
pub fn object_with_calls(order: Order, functions: &[Calling<'_>]) -> Vec<u8> {
    let mut undefined: HashMap<&str, SymbolId> = HashMap::new();
    let endianness = if order == Order::Big { Endianness::Big } else { Endianness::Little };
    let mut elf = Object::new(BinaryFormat::Elf, Architecture::Bpf, endianness);
    for (index, (name, code, calls)) in functions.iter().enumerate() {
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
        let symbol = |name: &str, section, scope| Symbol {
            name: name.as_bytes().to_vec(),
            value: 0,
            size: 0,
            kind: SymbolKind::Text,
            scope,
            weak: false,
            section,
            flags: SymbolFlags::None,
        };
        elf.add_symbol(symbol(name, SymbolSection::Section(section), SymbolScope::Dynamic));
        for &(slot, callee) in *calls {
            let callee = *undefined
                .entry(callee)
                .or_insert_with(|| elf.add_symbol(symbol(callee, SymbolSection::Undefined, SymbolScope::Unknown)));
            // R_BPF_64_32
            let flags = RelocationFlags::Elf { r_type: 10 };
            let relocation = Relocation { offset: slot * 8, symbol: callee, addend: 0, flags };
            elf.add_relocation(section, relocation).expect("the slot is one of the section");
        }
    }
    elf.write().expect("sections, symbols and relocations can be written")
}

/// Little-endian slots as big-endian ones: the fields swapped, and the register fields change places (RFC 9669 section 3.1).
fn big_endian(code: &[u8]) -> Vec<u8> {
    let swapped = |slot: &[u8]| {
        let registers = slot[1].rotate_left(4);
        [slot[0], registers, slot[3], slot[2], slot[7], slot[6], slot[5], slot[4]]
    };
    code.chunks_exact(8).flat_map(swapped).collect()
}
