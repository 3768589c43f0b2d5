//! A generator of objects that call functions of `double` through pointers: many functions, and many calls.
//!
//! In: how many. Out: an object with BTF. Functions, each a number `i`:
//!
//! | name | C type | what it does |
//! |---|---|---|
//! | `f<i>` | `double (double)` | adds `i` to the bits of its argument |
//! | `g<i>`, for every fourth `i` | `uint64_t (uint64_t)` | adds `i` |
//! | `call<i>` | `uint64_t (uint64_t word, uint64_t (*function)(uint64_t))` | calls the function with the word |
//!
//! The data `functions` and `plain` have the addresses of the first two.

use object::write::{Object, Relocation, StandardSection, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};

use super::asm::assemble;

/// An address in data (kernel `Documentation/bpf/llvm_reloc.rst`).
const R_BPF_64_ABS64: u32 = 2;

/// One function without floats for so many with them.
pub const PLAIN: usize = 4;

const DOUBLE_OF_DOUBLE: u32 = 3;
const WORD_OF_WORD: u32 = 4;
const WORD_OF_TWO: u32 = 5;

/// An object with `count` functions of `double`, and as many that call through a pointer.
pub fn object_of(count: usize) -> Vec<u8> {
    let mut elf = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
    let text = elf.section_id(StandardSection::Text);
    let mut btf = Btf { types: types(), strings: vec![0] };
    let mut add = |elf: &mut Object<'_>, name: &str, code: &str, ty: u32| {
        let code = assemble(code).expect("the generator writes valid assembly");
        let value = elf.append_section_data(text, &code, 8);
        btf.function(name, ty);
        add_symbol(elf, name, value, code.len(), SymbolSection::Section(text), SymbolKind::Text)
    };
    let add_one = |index: usize| format!("r0 = r1\nr0 += {index}\nexit");
    let (mut functions, mut plain) = (Vec::new(), Vec::new());
    for index in 0..count {
        functions.push(add(&mut elf, &format!("f{index}"), &add_one(index), DOUBLE_OF_DOUBLE));
        if index % PLAIN == 0 {
            plain.push(add(&mut elf, &format!("g{index}"), &add_one(index), WORD_OF_WORD));
        }
        add(&mut elf, &format!("call{index}"), "callx r2\nexit", WORD_OF_TWO);
    }
    for (name, targets) in [("functions", functions), ("plain", plain)] {
        addresses(&mut elf, name, &targets);
    }
    let section = elf.add_section(Vec::new(), b".BTF".to_vec(), SectionKind::Other);
    elf.append_section_data(section, &btf.finish(), 4);
    elf.write().expect("a whole object")
}

/// Data with the addresses of functions.
fn addresses(elf: &mut Object<'_>, name: &str, targets: &[SymbolId]) {
    let section = elf.add_section(Vec::new(), format!(".data.{name}").into_bytes(), SectionKind::Data);
    elf.append_section_data(section, &vec![0; 8 * targets.len()], 8);
    add_symbol(elf, name, 0, 8 * targets.len(), SymbolSection::Section(section), SymbolKind::Data);
    for (index, &symbol) in targets.iter().enumerate() {
        let flags = RelocationFlags::Elf { r_type: R_BPF_64_ABS64 };
        let relocation = Relocation { offset: 8 * index as u64, symbol, addend: 0, flags };
        elf.add_relocation(section, relocation).expect("an ELF relocation can be added");
    }
}

fn add_symbol(
    elf: &mut Object<'_>,
    name: &str,
    value: u64,
    size: usize,
    section: SymbolSection,
    kind: SymbolKind,
) -> SymbolId {
    let (name, size, scope) = (name.as_bytes().to_vec(), size as u64, SymbolScope::Dynamic);
    elf.add_symbol(Symbol { name, value, size, kind, scope, weak: false, section, flags: SymbolFlags::None })
}

/// A `.BTF` section (kernel `Documentation/bpf/btf.rst`).
struct Btf {
    types: Vec<u32>,
    strings: Vec<u8>,
}

/// The types that functions refer to by number, from 1.
fn types() -> Vec<u32> {
    const INT: u32 = 1 << 24;
    const FLOAT: u32 = 16 << 24;
    const FUNC_PROTO: u32 = 13 << 24;
    // Without names; `finish` gives the first two theirs.
    let word = [0, INT, 8, 64];
    let double = [0, FLOAT, 8];
    let double_of_double = [0, FUNC_PROTO | 1, 2, 0, 2];
    let word_of_word = [0, FUNC_PROTO | 1, 1, 0, 1];
    let word_of_two = [0, FUNC_PROTO | 2, 1, 0, 1, 0, 1];
    [&word[..], &double, &double_of_double, &word_of_word, &word_of_two].concat()
}

impl Btf {
    fn string(&mut self, text: &str) -> u32 {
        let at = self.strings.len() as u32;
        self.strings.extend(text.bytes().chain([0]));
        at
    }

    fn function(&mut self, name: &str, ty: u32) {
        const FUNC: u32 = 12 << 24;
        const GLOBAL: u32 = 1;
        let name = self.string(name);
        self.types.extend([name, FUNC | GLOBAL, ty]);
    }

    /// The header, the types, the strings.
    fn finish(mut self) -> Vec<u8> {
        self.types[0] = self.string("uint64_t");
        self.types[4] = self.string("double");
        let length = 4 * self.types.len() as u32;
        let header = [24, 0, length, length, self.strings.len() as u32];
        let words = header.into_iter().chain(self.types).flat_map(u32::to_le_bytes);
        [0x9f, 0xeb, 1, 0].into_iter().chain(words).chain(self.strings).collect()
    }
}
