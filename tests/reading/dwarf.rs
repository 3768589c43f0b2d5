//! DWARF as the source of what functions return, where BTF leaves it out; and damaged DWARF, which says nothing.

use std::ops::Range;
use std::path::{Path, PathBuf};

use bpf2native::Program;
use bpf2native::btf::CType;
use object::write::Object;
use object::{Architecture, BinaryFormat, Endianness, SectionKind};
use object::{Object as _, ObjectSection as _};

use crate::work::is_in_proportion;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/llvm23").join(name)
}

/// What the functions of a program are declared as.
fn declarations(program: &Program) -> Vec<String> {
    let functions = program.functions.iter().map(|(_, function)| function);
    let declared = functions.filter_map(|function| Some(function.prototype.as_ref()?.declare(&function.name)));
    declared.collect()
}

#[test]
fn structs_that_llvm23_does_not_say_in_btf() {
    let program = Program::from_files([fixture("structs.o")]).unwrap();
    let expected = [
        "struct s8 m8(int)",
        "struct s16 m16(struct s8)",
        "struct s24 m24(struct s16, long)",
        "struct d2 swap(struct d2)",
        "struct fi bump(struct fi)",
        "__int128 wide(__int128, long)",
        "int main(int, char **)",
    ];
    let without_names: Vec<String> = declarations(&program);
    assert_eq!(without_names.len(), expected.len());
    for (declared, expected) in without_names.iter().zip(expected) {
        let head = expected.split_once(',').map_or(expected.trim_end_matches(')'), |(head, _)| head);
        assert!(declared.starts_with(head), "{declared}: {expected}");
    }
    let bump = program.functions.iter().find(|(_, function)| function.name == "bump").unwrap().1;
    let CType::Aggregate(result) = &bump.prototype.as_ref().unwrap().result else { panic!("{bump:?}") };
    let expected = vec![(0, CType::Float { bytes: 4 }), (4, CType::Int { bytes: 4, signed: true })];
    assert_eq!((result.size, &result.scalars), (8, &expected));
    assert_eq!((result.has_union, result.has_array), (false, false));
}

/// Where the sections of debug information lie in the file.
fn debug_ranges(bytes: &[u8]) -> Vec<Range<usize>> {
    let file = object::File::parse(bytes).unwrap();
    let is_debug = |name: &str| name.starts_with(".debug") || name.starts_with(".rel.debug");
    let sections = file.sections().filter(|section| section.name().is_ok_and(is_debug));
    let ranges = sections.filter_map(|section| section.file_range());
    ranges.map(|(start, size)| start as usize..(start + size) as usize).collect()
}

#[test]
fn damaged_dwarf_says_nothing() {
    let bytes = std::fs::read(fixture("structs.o")).unwrap();
    let whole = declarations(&Program::from_bytes("whole.o", &bytes).unwrap());
    let (mut lost, mut tried) = (0, 0);
    for range in debug_ranges(&bytes) {
        for at in range.step_by(17) {
            for value in [0, 0xff, bytes[at] ^ 0x11] {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                let program = Program::from_bytes("damaged.o", &damaged).unwrap();
                let declared = declarations(&program);
                assert_eq!(declared.len(), whole.len());
                lost += usize::from(declared != whole);
                tried += 1;
            }
        }
    }
    assert!(lost > 20 && tried > 500, "{lost} of {tried}");
}

/// The fixture with these sections of DWARF in place of its own.
fn with_dwarf(info: &[u8], abbreviations: &[u8]) -> Vec<u8> {
    let bytes = std::fs::read(fixture("structs.o")).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let mut object = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
    let text = object.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
    // One `exit`, under the name of a function whose result BTF does not say.
    object.append_section_data(text, &[0x95, 0, 0, 0, 0, 0, 0, 0], 8);
    object.add_symbol(object::write::Symbol {
        name: b"m8".to_vec(),
        value: 0,
        size: 8,
        kind: object::SymbolKind::Text,
        scope: object::SymbolScope::Dynamic,
        weak: false,
        section: object::write::SymbolSection::Section(text),
        flags: object::SymbolFlags::None,
    });
    let btf = file.section_by_name(".BTF").unwrap().data().unwrap().to_vec();
    for (name, data) in [(".BTF", &*btf), (".debug_info", info), (".debug_abbrev", abbreviations)] {
        let section = object.add_section(Vec::new(), name.as_bytes().to_vec(), SectionKind::Debug);
        object.append_section_data(section, data, 4);
    }
    object.write().unwrap()
}

/// A unit of DWARF 5 for 64-bit addresses.
fn unit(entries: &[u8]) -> Vec<u8> {
    let mut unit = (entries.len() as u32 + 8).to_le_bytes().to_vec();
    unit.extend([5, 0, 1, 8, 0, 0, 0, 0]);
    unit.extend(entries);
    unit
}

/// A unit whose entries have attributes that take no bytes (DW_FORM_flag_present, 0x19): a subprogram (0x2e) each.
fn many_attributes(size: usize) -> Vec<u8> {
    let attributes = [0x3f, 0x19].repeat(size / 2);
    let abbreviations = [&[1, 0x2e, 0][..], &attributes, &[0, 0, 0]].concat();
    with_dwarf(&unit(&vec![1; size]), &abbreviations)
}

/// Units that all have the same table of abbreviations.
fn many_units(size: usize) -> Vec<u8> {
    let mut table = Vec::new();
    for code in 1..=2 * size as u32 / 5 {
        let low = [code as u8 | 0x80, (code >> 7) as u8 | 0x80, (code >> 14) as u8];
        table.extend(low);
        table.extend([0x2e, 0, 0x3f, 0x19, 0, 0]);
    }
    table.push(0);
    with_dwarf(&unit(&[0]).repeat(size), &table)
}

/// A struct (0x13) of 16 bytes that holds itself (DW_AT_type is itself), many times, and a function that returns it.
fn nested(size: usize) -> Vec<u8> {
    let abbreviations = [
        1, 0x2e, 0, 0x03, 0x08, 0x49, 0x13, 0, 0, // subprogram: name, type
        2, 0x13, 1, 0x0b, 0x0b, 0, 0, // structure with children: size
        3, 0x0d, 0, 0x49, 0x13, 0x38, 0x0b, 0, 0, 0, // member: type, place
    ];
    let mut entries = vec![1, b'm', b'8', 0, 20, 0, 0, 0, 2, 16];
    entries.extend([3, 20, 0, 0, 0, 0].repeat(size));
    entries.extend([0, 0]);
    with_dwarf(&unit(&entries), &abbreviations)
}

/// The largest of each would take hours if all that it unfolds to were read.
#[test]
fn dwarf_that_unfolds_is_bounded() {
    for (name, bytes) in
        [("attributes", many_attributes(600_000)), ("units", many_units(50_000)), ("nested", nested(1000))]
    {
        let program = Program::from_bytes(name, &bytes).unwrap();
        assert_eq!(declarations(&program), ["void m8(int)"], "{name}");
    }
    let read = |bytes: &Vec<u8>| drop(Program::from_bytes("unfolds", bytes).unwrap());
    is_in_proportion("attributes", 10_000, many_attributes, read);
    is_in_proportion("members", 10_000, nested, read);
}
