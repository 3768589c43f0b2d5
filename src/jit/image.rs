//! A program in memory as an ELF file, for debuggers: where its functions are, how to unwind them, their lines.
//!
//! In: names and addresses of functions, the registered frame table, DWARF sections. Out: the bytes of the file.
//!
//! | section | address | contents |
//! |---|---|---|
//! | `.text` | of the code | none: debuggers read the process's memory |
//! | `.eh_frame` | of the registered table | a copy of it |
//! | `.symtab` | | one function symbol for each function |
//! | `.debug_*` | | what `emit/debug.rs` makes |

use cranelift_codegen::isa::TargetIsa;
use object::elf;
use object::write::StringId;
use object::write::elf::{FileHeader, SectionHeader, SectionIndex, Sym, Writer};
use target_lexicon::Architecture;

use super::frames::Frames;
use super::symbol::Symbol;

/// The contents of a section of the image.
struct Section<'a> {
    name: &'static str,
    kind: u32,
    flags: u32,
    address: u64,
    align: u64,
    size: u64,
    bytes: &'a [u8],
}

/// A section with its offset in the file.
struct Placed<'a> {
    section: Section<'a>,
    name: StringId,
    offset: usize,
}

/// Writes the image; none for a machine that debuggers do not support, or without functions.
pub(super) fn image(
    isa: &dyn TargetIsa,
    symbols: &[Symbol],
    frames: Option<&Frames>,
    debug: &[(&'static str, Vec<u8>)],
) -> Option<Vec<u8>> {
    let machine = match isa.triple().architecture {
        Architecture::X86_64 => elf::EM_X86_64,
        Architecture::Aarch64(_) => elf::EM_AARCH64,
        Architecture::Riscv64(_) => elf::EM_RISCV,
        Architecture::S390x => elf::EM_S390,
        _ => return None,
    };
    let start = symbols.iter().map(|symbol| symbol.address).min()?;
    let end = symbols.iter().map(|symbol| symbol.address + symbol.size).max()?;
    let mut sections = vec![Section {
        name: ".text",
        kind: elf::SHT_NOBITS,
        flags: elf::SHF_ALLOC | elf::SHF_EXECINSTR,
        address: start,
        align: 16,
        size: end - start,
        bytes: &[],
    }];
    sections.extend(frames.map(|frames| Section {
        name: ".eh_frame",
        kind: elf::SHT_PROGBITS,
        flags: elf::SHF_ALLOC,
        address: frames.table().as_ptr() as u64,
        align: 8,
        size: frames.table().len() as u64,
        bytes: frames.table(),
    }));
    sections.extend(debug.iter().map(|(name, bytes)| Section {
        name,
        kind: elf::SHT_PROGBITS,
        flags: 0,
        address: 0,
        align: 1,
        size: bytes.len() as u64,
        bytes,
    }));
    let endian = match isa.endianness() {
        cranelift_codegen::ir::Endianness::Little => object::Endianness::Little,
        cranelift_codegen::ir::Endianness::Big => object::Endianness::Big,
    };
    let mut bytes = Vec::new();
    let header = FileHeader {
        os_abi: elf::ELFOSABI_NONE,
        abi_version: 0,
        e_type: elf::ET_REL,
        e_machine: machine,
        e_entry: 0,
        e_flags: 0,
    };
    write(Writer::new(endian, true, &mut bytes), &header, sections, symbols)?;
    Some(bytes)
}

/// Writes the file: offsets first, then bytes in the same order.
fn write<'a>(
    mut writer: Writer<'a>,
    header: &FileHeader,
    sections: Vec<Section<'a>>,
    symbols: &'a [Symbol],
) -> Option<()> {
    // The first section is the code; local symbols come first, as ELF demands.
    let text = SectionIndex(1);
    let (local, global): (Vec<&Symbol>, Vec<&Symbol>) = symbols.iter().partition(|symbol| !symbol.global);
    let symbols: Vec<&Symbol> = local.iter().chain(&global).copied().collect();

    writer.reserve_file_header();
    let placed: Vec<Placed<'a>> = sections
        .into_iter()
        .map(|section| {
            writer.reserve_section_index();
            let name = writer.add_section_name(section.name.as_bytes());
            let offset = writer.reserve(section.bytes.len(), section.align as usize);
            Placed { section, name, offset }
        })
        .collect();
    let names: Vec<StringId> = symbols.iter().map(|symbol| writer.add_string(symbol.name.as_bytes())).collect();
    for _ in &symbols {
        writer.reserve_symbol_index(Some(text));
    }
    writer.reserve_symtab_section_index();
    writer.reserve_strtab_section_index();
    writer.reserve_shstrtab_section_index();
    writer.reserve_symtab();
    writer.reserve_strtab();
    writer.reserve_shstrtab();
    writer.reserve_section_headers();

    writer.write_file_header(header).ok()?;
    for Placed { section, offset, .. } in &placed {
        writer.pad_until(*offset);
        writer.write(section.bytes);
    }
    writer.write_null_symbol();
    let start = placed.first()?.section.address;
    for (symbol, name) in symbols.iter().zip(names) {
        let binding = if symbol.global { elf::STB_GLOBAL } else { elf::STB_LOCAL };
        writer.write_symbol(&Sym {
            name: Some(name),
            section: Some(text),
            st_info: (binding << 4) | elf::STT_FUNC,
            st_other: elf::STV_DEFAULT,
            st_shndx: 0,
            // In a relocatable file, relative to the section, whose address debuggers add.
            st_value: symbol.address - start,
            st_size: symbol.size,
        });
    }
    writer.write_strtab();
    writer.write_shstrtab();
    writer.write_null_section_header();
    for Placed { section, name, offset } in placed {
        writer.write_section_header(&SectionHeader {
            name: Some(name),
            sh_type: section.kind,
            sh_flags: u64::from(section.flags),
            sh_addr: section.address,
            sh_offset: offset as u64,
            sh_size: section.size,
            sh_link: 0,
            sh_info: 0,
            sh_addralign: section.align,
            sh_entsize: 0,
        });
    }
    writer.write_symtab_section_header(1 + local.len() as u32);
    writer.write_strtab_section_header();
    writer.write_shstrtab_section_header();
    Some(())
}
