//! Writes an ELF object for BPF.
//!
//! In: sections with their relocations, symbols, local ones first. Out: the bytes, in either byte order. Nothing is sorted or left
//! out here.

use std::collections::BTreeMap;

use object::elf;
use object::write::elf::{FileHeader, Rel, SectionHeader, SectionIndex, Sym, SymbolIndex, Writer};

use crate::program::{Binding, Visibility};

/// The most sections: a symbol names them by 16 bits.
const MOST_SECTIONS: usize = 0xf000;
/// The greatest alignment of a section.
const MOST_ALIGN: u64 = 64 << 10;

/// An object to be written.
pub(super) struct Output {
    endian: object::Endianness,
    pub(super) sections: Vec<OutSection>,
    pub(super) symbols: Vec<OutSymbol>,
    /// Where sections of the object went, by ELF index.
    places: BTreeMap<usize, usize>,
}

/// A section.
#[derive(Default)]
pub(super) struct OutSection {
    pub(super) name: String,
    /// `SHT_*`.
    pub(super) kind: u32,
    /// `SHF_*`.
    pub(super) flags: u64,
    pub(super) align: u64,
    /// In bytes; of `SHT_NOBITS` too.
    pub(super) size: u64,
    pub(super) data: Vec<u8>,
    pub(super) relocations: Vec<OutRelocation>,
}

impl OutSection {
    /// A section of bytes that are not loaded.
    pub(super) fn plain(name: &str, data: Vec<u8>) -> OutSection {
        let size = data.len() as u64;
        OutSection { name: name.to_owned(), kind: elf::SHT_PROGBITS, align: 4, size, data, ..OutSection::default() }
    }
}

/// A symbol.
pub(super) struct OutSymbol {
    pub(super) name: String,
    /// Its section, by its place in the output; none if it is undefined, or absolute.
    pub(super) section: Option<usize>,
    pub(super) is_absolute: bool,
    pub(super) binding: Binding,
    pub(super) visibility: Visibility,
    /// `STT_*`.
    pub(super) kind: u8,
    pub(super) value: u64,
    pub(super) size: u64,
}

/// A relocation.
pub(super) struct OutRelocation {
    pub(super) offset: u64,
    /// `R_BPF_*`.
    pub(super) kind: u32,
    /// The symbol, by its place in the output.
    pub(super) symbol: usize,
    /// Of `SHT_RELA`; none where it is in place.
    pub(super) addend: Option<i64>,
}

impl Output {
    pub(super) fn new(endian: object::Endianness) -> Output {
        Output { endian, sections: Vec::new(), symbols: Vec::new(), places: BTreeMap::new() }
    }

    /// Says that the next section is the one of this ELF index.
    pub(super) fn place(&mut self, section: usize) {
        self.places.insert(section, self.sections.len());
    }

    /// Where the section of an ELF index went.
    pub(super) fn placed(&self, section: usize) -> Option<usize> {
        self.places.get(&section).copied()
    }

    /// The object.
    ///
    /// # Errors
    ///
    /// What cannot be written, with the cure.
    pub(super) fn write(&self) -> Result<Vec<u8>, String> {
        self.check()?;
        let mut bytes = Vec::new();
        let mut writer = Writer::new(self.endian, true, &mut bytes);
        writer.reserve_null_section_index();
        let sections: Vec<SectionIndex> = self.sections.iter().map(|_| writer.reserve_section_index()).collect();
        let names: Vec<_> =
            self.sections.iter().map(|section| writer.add_section_name(section.name.as_bytes())).collect();
        let relocated: Vec<usize> =
            (0..self.sections.len()).filter(|&index| !self.sections[index].relocations.is_empty()).collect();
        let is_rela = |index: usize| self.sections[index].relocations[0].addend.is_some();
        let relocation_names: Vec<String> = relocated
            .iter()
            .map(|&index| format!("{}{}", if is_rela(index) { ".rela" } else { ".rel" }, self.sections[index].name))
            .collect();
        let relocation_names: Vec<_> =
            relocation_names.iter().map(|name| writer.add_section_name(name.as_bytes())).collect();
        relocated.iter().for_each(|_| {
            writer.reserve_section_index();
        });
        writer.reserve_symtab_section_index();
        writer.reserve_strtab_section_index();
        writer.reserve_shstrtab_section_index();
        let symbol_names: Vec<_> = self
            .symbols
            .iter()
            .map(|symbol| (!symbol.name.is_empty()).then(|| writer.add_string(symbol.name.as_bytes())))
            .collect();
        writer.reserve_null_symbol_index();
        let symbols: Vec<SymbolIndex> = self
            .symbols
            .iter()
            .map(|symbol| writer.reserve_symbol_index(symbol.section.map(|section| sections[section])))
            .collect();
        writer.reserve_file_header();
        let offsets: Vec<usize> = self
            .sections
            .iter()
            .map(|section| writer.reserve(section.data.len(), section.align as usize))
            .collect();
        writer.reserve_symtab();
        writer.reserve_strtab();
        let relocation_offsets: Vec<usize> = relocated
            .iter()
            .map(|&index| writer.reserve_relocations(self.sections[index].relocations.len(), is_rela(index)))
            .collect();
        writer.reserve_shstrtab();
        writer.reserve_section_headers();

        let header = FileHeader {
            os_abi: 0,
            abi_version: 0,
            e_type: elf::ET_REL,
            e_machine: elf::EM_BPF,
            e_entry: 0,
            e_flags: 0,
        };
        writer.write_file_header(&header).map_err(|error| error.to_string())?;
        for section in &self.sections {
            writer.write_align(section.align as usize);
            writer.write(&section.data);
        }
        writer.write_null_symbol();
        for (symbol, name) in self.symbols.iter().zip(symbol_names) {
            writer.write_symbol(&Sym {
                name,
                section: symbol.section.map(|section| sections[section]),
                st_info: binding(symbol.binding) << 4 | symbol.kind & 15,
                st_other: match symbol.visibility {
                    Visibility::Default => elf::STV_DEFAULT,
                    Visibility::Hidden => elf::STV_HIDDEN,
                },
                st_shndx: if symbol.is_absolute { elf::SHN_ABS } else { elf::SHN_UNDEF },
                st_value: symbol.value,
                st_size: symbol.size,
            });
        }
        writer.write_strtab();
        for &index in &relocated {
            writer.write_align_relocation();
            for relocation in &self.sections[index].relocations {
                let rel = Rel {
                    r_offset: relocation.offset,
                    r_sym: symbols[relocation.symbol].0,
                    r_type: relocation.kind,
                    r_addend: relocation.addend.unwrap_or(0),
                };
                writer.write_relocation(is_rela(index), &rel);
            }
        }
        writer.write_shstrtab();
        writer.write_null_section_header();
        for ((section, name), offset) in self.sections.iter().zip(names).zip(offsets) {
            writer.write_section_header(&SectionHeader {
                name: Some(name),
                sh_type: section.kind,
                sh_flags: section.flags,
                sh_addr: 0,
                sh_offset: offset as u64,
                sh_size: section.size,
                sh_link: 0,
                sh_info: 0,
                sh_addralign: section.align,
                sh_entsize: 0,
            });
        }
        for ((&index, name), offset) in relocated.iter().zip(relocation_names).zip(relocation_offsets) {
            let (section, count) = (sections[index], self.sections[index].relocations.len());
            let symtab = writer.symtab_index();
            writer.write_relocation_section_header(name, section, symtab, offset, count, is_rela(index));
        }
        let locals = self.symbols.iter().filter(|symbol| symbol.binding == Binding::Local).count();
        writer.write_symtab_section_header(1 + locals as u32);
        writer.write_strtab_section_header();
        writer.write_shstrtab_section_header();
        Ok(bytes)
    }

    /// Refuses what the writer does not expect.
    fn check(&self) -> Result<(), String> {
        if self.sections.len() > MOST_SECTIONS {
            return Err(format!("the kernel half has more than {MOST_SECTIONS} sections; split the object"));
        }
        for section in &self.sections {
            let name = crate::program::names::printable(&section.name);
            if !section.align.is_power_of_two() || section.align > MOST_ALIGN {
                return Err(format!("section `{name}` has alignment {:#x}; 64 KiB is the most", section.align));
            }
            let mixed =
                section.relocations.windows(2).any(|pair| pair[0].addend.is_some() != pair[1].addend.is_some());
            if mixed {
                return Err(format!("section `{name}` has relocations of two kinds; compile the object again"));
            }
            if section.name.contains('\0') {
                return Err(format!("section `{name}` has a NUL in its name"));
            }
        }
        if self.symbols.iter().any(|symbol| symbol.name.contains('\0')) {
            return Err("a symbol has a NUL in its name".to_owned());
        }
        Ok(())
    }
}

fn binding(binding: Binding) -> u8 {
    match binding {
        Binding::Local => elf::STB_LOCAL,
        Binding::Global => elf::STB_GLOBAL,
        Binding::Weak => elf::STB_WEAK,
    }
}
