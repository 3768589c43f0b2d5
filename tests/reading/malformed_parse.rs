//! Damaged objects and archives: an error or a sound program, never a panic, and no more work than the input is long.

use std::fs;
use std::path::PathBuf;

use bpf2native::parse::{Input, Kconfig, Options, parse};
use bpf2native::program::{Binding, Contents, DataKind, Program, Relocation, Target};
use object::elf::{FileHeader64, SHT_GROUP, SHT_REL, SHT_RELA, SHT_SYMTAB};
use object::read::elf::{FileHeader, SectionHeader};
use object::write::{Object, Relocation as WriteRelocation, StandardSection, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};
use proptest::prelude::*;

use crate::seeds;
use crate::work::{allocated, is_in_proportion};

/// Bytes of memory for each byte of an object, at most, beside those that even an empty one takes.
const MOST_ALLOCATED: u64 = 40;

/// All objects and archives of `fixtures/parse`.
fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/parse");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".o") || name.ends_with(".a"))
        .collect();
    names.sort();
    assert!(names.len() > 15, "{names:?}");
    names.into_iter().map(|name| (name.clone(), fs::read(folder.join(&name)).unwrap())).collect()
}

/// What the runtime takes at most: its index, and all of its members.
const RUNTIME: u64 = 32 << 20;

/// Parses, and checks the program if there is one. A loop that does not end shows itself; memory is counted.
fn exercise(name: &str, bytes: &[u8]) {
    exercise_with(name, bytes, false);
}

/// The same, with what the program lacks out of the runtime.
fn exercise_with(name: &str, bytes: &[u8], runtime: bool) {
    let mut inputs = vec![Input { name: name.to_owned(), bytes: bytes.to_vec() }];
    if name == "library.a" {
        let user = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/parse/archive_user.o")).unwrap();
        inputs.insert(0, Input { name: "user.o".to_owned(), bytes: user });
    }
    let size: usize = inputs.iter().map(|input| input.bytes.len()).sum();
    let mut options = Options::default();
    options.runtime = runtime;
    // All that is read on demand.
    options.core_relocations = true;
    options.kconfig = Some(Kconfig::parse("CONFIG_HZ=250\nCONFIG_BPF_SYSCALL=y\n"));
    let (parsed, allocated) = allocated(|| parse(&inputs, &options));
    let besides = if runtime { RUNTIME } else { 4096 };
    assert!(allocated <= besides + MOST_ALLOCATED * size as u64, "{name}: {allocated} bytes of memory for {size}");
    match parsed {
        // The runtime is not in proportion, and not damaged.
        Ok(_) if runtime => {}
        Ok(program) => check(&program, size),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains(name) || text.contains("user.o"), "{text}");
        }
    }
}

/// What later phases rely on.
fn check(program: &Program, size: usize) {
    let mut held = 0;
    for (_, code) in program.code.iter() {
        assert!(code.bytes.len().is_multiple_of(8));
        held += code.bytes.len() + code.name.len();
        check_relocations(program, &code.relocations, code.bytes.len() as u64, 8);
        assert!(code.relocations.iter().all(|relocation| relocation.offset.is_multiple_of(8)));
    }
    for (_, data) in program.data.iter() {
        assert!(data.align.is_power_of_two() && data.align <= 64 << 10);
        held += data.name.len();
        match &data.contents {
            Contents::Bytes(bytes) => {
                held += bytes.len();
                check_relocations(program, &data.relocations, bytes.len() as u64, 8);
            }
            Contents::Zeros(zeros) => assert!(*zeros <= 4 << 30 && data.relocations.is_empty()),
        }
        if let DataKind::JumpTable(owner) = data.kind {
            assert!(program.code.get(owner).is_some());
        }
    }
    let mut ranges = 0;
    let mut last = None;
    for (id, function) in program.functions.iter() {
        let place = (function.section, function.start);
        assert!(last.is_none_or(|last| last < place), "functions are in order");
        last = Some(place);
        let section = program.code[function.section].bytes.len() as u64;
        assert!(function.start < function.end && function.end <= section);
        assert!(function.start.is_multiple_of(8) && function.end.is_multiple_of(8));
        assert_eq!(program.function_at(function.section, function.start), Some(id));
        ranges += function.end - function.start;
        held += function.name.len() + function.aliases.iter().map(|(name, ..)| name.len()).sum::<usize>();
    }
    assert!(ranges <= (16 * size as u64) + ((64 << 10) * program.code.len() as u64));
    for (_, symbol) in program.symbols.iter() {
        assert!(program.data.get(symbol.section).is_some() && symbol.binding != Binding::Local);
        held += symbol.name.len();
    }
    for (_, import) in program.imports.iter() {
        assert!(!import.files.is_empty() && import.files.is_sorted());
        held += import.name.len();
    }
    assert!(held <= 40 * size + (1 << 18), "{held} bytes out of {size}");
}

fn check_relocations(program: &Program, relocations: &[Relocation], size: u64, field: u64) {
    assert!(relocations.is_sorted_by_key(|relocation| relocation.offset));
    for relocation in relocations {
        assert!(relocation.offset + field <= size);
        match relocation.target {
            Target::Function(id) => assert!(program.functions.get(id).is_some()),
            Target::Label { section, offset } => {
                assert!(offset < program.code[section].bytes.len() as u64 && offset.is_multiple_of(8));
            }
            Target::Data { section, .. } => assert!(program.data.get(section).is_some()),
            Target::Symbol { symbol, .. } => assert!(program.symbols.get(symbol).is_some()),
            Target::Import { import, .. } => assert!(program.imports.get(import).is_some()),
            Target::Absolute(_) => {}
        }
    }
}

#[test]
fn whole_fixtures() {
    fixtures().iter().for_each(|(name, bytes)| exercise(name, bytes));
}

#[test]
fn damaged_objects_get_of_the_runtime_what_they_lack() {
    for (name, bytes) in fixtures().into_iter().filter(|(name, _)| name.starts_with("kernel")) {
        for length in (0..=bytes.len()).step_by(64) {
            exercise_with(&name, &bytes[..length], true);
        }
        for at in (0..bytes.len()).step_by(16) {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at / 16 % 8);
            exercise_with(&name, &changed, true);
        }
    }
}

#[test]
fn truncated_at_every_64th_byte() {
    for (name, bytes) in fixtures() {
        (0..bytes.len()).step_by(64).for_each(|length| exercise(&name, &bytes[..length]));
    }
}

/// Each byte of headers, symbols, relocations and groups, in three ways.
#[test]
fn flipped_bytes_of_tables() {
    for (name, bytes) in fixtures() {
        let mut places: Vec<usize> = (0..64.min(bytes.len())).collect();
        if let Ok(header) = FileHeader64::<Endianness>::parse(&*bytes) {
            let endian = header.endian().unwrap();
            let sections = header.sections(endian, &*bytes).unwrap();
            let table = header.e_shoff(endian) as usize;
            places.extend(table..table + 64 * sections.len());
            for section in sections.iter() {
                if matches!(section.sh_type(endian), SHT_SYMTAB | SHT_REL | SHT_RELA | SHT_GROUP) {
                    let start = section.sh_offset(endian) as usize;
                    // Debug information has thousands of relocations, which are not read.
                    places.extend(start..start + (section.sh_size(endian) as usize).min(512));
                }
            }
        } else {
            places.extend(64..bytes.len());
        }
        let mut bytes = bytes;
        for place in places {
            for bits in [0x01, 0x80, 0xff] {
                bytes[place] ^= bits;
                exercise(&name, &bytes);
                bytes[place] ^= bits;
            }
        }
    }
}

proptest! {
    #![proptest_config(seeds::cases("flipped bytes", 2000))]

    #[test]
    fn random_flips_of_bytes(
        fixture in prop::sample::select(fixtures()),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let (name, mut bytes) = fixture;
        for (index, bits) in flips {
            *index.get_mut(&mut bytes) ^= bits;
        }
        exercise(&name, &bytes);
    }
}

/// A BPF object that is made here.
fn object() -> Object<'static> {
    Object::new(BinaryFormat::Elf, Architecture::Bpf, object::Endianness::Little)
}

fn symbol(name: String, value: u64, size: u64, kind: SymbolKind, section: SymbolSection) -> Symbol {
    let (scope, flags) = (SymbolScope::Dynamic, SymbolFlags::None);
    Symbol { name: name.into_bytes(), value, size, kind, scope, weak: false, section, flags }
}

const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];

fn call(distance: i32) -> [u8; 8] {
    let [a, b, c, d] = distance.to_le_bytes();
    [0x85, 0x10, 0, 0, a, b, c, d]
}

/// An object with functions in one section, of three instructions, each called with and without a relocation.
fn large_object(count: u64) -> Vec<u8> {
    let mut object = object();
    let text = object.section_id(StandardSection::Text);
    for index in 0..count {
        let next = if index + 1 < count { 2 } else { -1 };
        object.append_section_data(text, &[call(next), call(-1), EXIT].concat(), 8);
    }
    let section = SymbolSection::Section(text);
    let ids: Vec<_> = (0..count)
        .map(|index| object.add_symbol(symbol(format!("f{index}"), 24 * index, 24, SymbolKind::Text, section)))
        .collect();
    for (index, &symbol) in ids.iter().enumerate() {
        let flags = RelocationFlags::Elf { r_type: 10 };
        let offset = 24 * index as u64 + 8;
        object.add_relocation(text, WriteRelocation { offset, symbol, addend: 0, flags }).unwrap();
    }
    object.write().unwrap()
}

#[test]
fn large_objects() {
    let bytes = large_object(50_000);
    let program = Program::from_bytes("large.o", &bytes).unwrap();
    assert_eq!(program.functions.len(), 50_000);
    check(&program, bytes.len());
    is_in_proportion(
        "functions",
        10_000,
        |count| large_object(count as u64),
        |bytes| drop(Program::from_bytes("large.o", bytes).unwrap()),
    );
}

/// Called places without symbols, one behind the other: each ends where the next begins.
#[test]
fn many_functions_without_symbols() {
    let count = 20_000;
    let mut bytes = Vec::new();
    for index in 0..count {
        bytes.extend(if index + 1 < count { call(1) } else { call(-1) });
        bytes.extend(EXIT);
    }
    let program = Program::from_instructions("calls", &bytes).unwrap();
    assert_eq!(program.functions.len(), count);
    check(&program, bytes.len());
}

/// Functions that all run on to the section's end would make later phases quadratic.
#[test]
fn functions_that_overlap_too_much() {
    let count = 20_000;
    let mut bytes: Vec<u8> = (0..count).flat_map(|_| call(0)).collect();
    bytes.extend(EXIT);
    let error = Program::from_instructions("calls", &bytes).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("overlap more than 16 times"), "{error}");
}

/// A long section name is not repeated for each function without a symbol.
#[test]
fn long_names() {
    let mut object = object();
    let name = "x".repeat(1 << 16);
    let text = object.add_section(Vec::new(), name.into_bytes(), SectionKind::Text);
    for _ in 0..5_000 {
        object.append_section_data(text, &[call(1), EXIT].concat(), 8);
    }
    object.append_section_data(text, &[EXIT, EXIT].concat(), 8);
    let bytes = object.write().unwrap();
    check(&Program::from_bytes("long.o", &bytes).unwrap(), bytes.len());
}
