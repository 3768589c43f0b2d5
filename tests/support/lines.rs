//! `.BTF` and `.BTF.ext` that put each instruction on a line of its own.
//!
//! In: an object that is being written, and one of its code sections. Out: the object with these two sections.

use object::SectionKind;
use object::write::Object;

/// The size of an instruction.
const SLOT: u32 = 8;

/// Adds the sections, for a code section of so many bytes.
pub fn add(elf: &mut Object<'_>, section: &str, bytes: usize) {
    const FILE: u32 = 1;
    let mut strings = b"\0large.c\0".to_vec();
    let name = strings.len() as u32;
    strings.extend(section.bytes().chain([0]));
    // Header: the magic number, version 1, flags, its length; then where each part is, and how long.
    let header = |parts: &[u32]| [&[0x0001_eb9f, 8 + 4 * parts.len() as u32], parts].concat();
    let types = words(&header(&[0, 0, 0, strings.len() as u32]));
    let instructions = bytes as u32 / SLOT;
    let mut lines = vec![16, name, instructions];
    lines.extend((0..instructions).flat_map(|index| [SLOT * index, FILE, 0, (index + 1) << 10 | 1]));
    let ext = words(&[header(&[0, 0, 0, 4 * lines.len() as u32]), lines].concat());
    for (name, data) in [(".BTF", [types, strings].concat()), (".BTF.ext", ext)] {
        let section = elf.add_section(Vec::new(), name.into(), SectionKind::Other);
        elf.append_section_data(section, &data, 4);
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
