//! BPF objects of a batch without a compiler: code, symbols, relocations, BTF and DWARF, as LLVM 23 lays them out.

use std::collections::HashMap;

use object::write::{Object, Relocation, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};

use super::code::{Reference, code};
use super::random::Batch;
use super::{btf, dwarf};

const R_BPF_64_64: u32 = 1;
const R_BPF_64_32: u32 = 10;

/// The bytes of an ELF object.
pub fn object(batch: &Batch, big_endian: bool) -> Vec<u8> {
    let endian = if big_endian { Endianness::Big } else { Endianness::Little };
    let mut object = Object::new(BinaryFormat::Elf, Architecture::Bpf, endian);
    let code = code(batch, big_endian);
    let text = object.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
    object.append_section_data(text, &code.bytes, 8);
    let mut symbols: HashMap<String, SymbolId> = HashMap::new();
    for function in &code.functions {
        let symbol = Symbol {
            name: function.name.clone().into_bytes(),
            value: function.start as u64,
            size: (function.end - function.start) as u64,
            kind: SymbolKind::Text,
            scope: if function.is_static { SymbolScope::Compilation } else { SymbolScope::Dynamic },
            weak: false,
            section: SymbolSection::Section(text),
            flags: SymbolFlags::None,
        };
        symbols.insert(function.name.clone(), object.add_symbol(symbol));
    }
    for (offset, reference) in code.relocations {
        let (name, r_type) = match reference {
            Reference::Call(name) => (name, R_BPF_64_32),
            Reference::Address(name) => (name, R_BPF_64_64),
        };
        let symbol = *symbols.entry(name.clone()).or_insert_with(|| object.add_symbol(undefined(&name)));
        let flags = RelocationFlags::Elf { r_type };
        object
            .add_relocation(text, Relocation { offset: offset as u64, symbol, addend: 0, flags })
            .expect("a known kind");
    }
    let about =
        std::iter::once((".BTF", btf::section(batch, big_endian))).chain(dwarf::sections(batch, big_endian));
    for (name, bytes) in about {
        let kind = if name == ".BTF" { SectionKind::Other } else { SectionKind::Debug };
        let section = object.add_section(Vec::new(), name.as_bytes().to_vec(), kind);
        object.append_section_data(section, &bytes, 4);
    }
    object.write().expect("a whole object")
}

fn undefined(name: &str) -> Symbol {
    Symbol {
        name: name.as_bytes().to_vec(),
        value: 0,
        size: 0,
        kind: SymbolKind::Text,
        scope: SymbolScope::Unknown,
        weak: false,
        section: SymbolSection::Undefined,
        flags: SymbolFlags::None,
    }
}
