//! The kernel's copy: the ELF object that libbpf gets, made of an object with both halves.
//!
//! In: the object, its functions and their owners. Out: [`Copy`]: an object that libbpf 1.1 and later load, with the data
//! sections that both halves have.
//!
//! | part | in the copy |
//! |---|---|
//! | sections of kernel programs, `.maps`, `.struct_ops`, `license`, `version` | all of them |
//! | code and data that kernel programs reach | whole sections; without relocations in functions that they do not reach |
//! | other sections, DWARF | not there |
//! | symbols | of kernel functions, of data that is there; undefined ones that something refers to |
//! | names of perf's events | libbpf's (`super::names`) |
//! | `SEC("maps")` | `.maps` with BTF (`legacy_maps`) |
//! | `.BTF`, `.BTF.ext` | without what is not there (`types`) |
//!
//! The rule: a place in a section that is there has the offset that it had.

mod legacy_maps;
mod types;
mod write;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use object::elf;

use super::functions::{Functions, Use, relocations_within};
use super::names;
use super::owner::{Owners, refers_for_kernel};
use crate::btf::raw::RawBtf;
use crate::elf::{Object, RawRelocation, SymbolHome};
use crate::program::Binding;
use legacy_maps::LegacyMaps;
use write::{OutRelocation, OutSection, OutSymbol, Output};

/// The kernel's copy of an object.
pub(super) struct Copy {
    pub(super) bytes: Vec<u8>,
    /// ELF indices, in the object, of the data sections that libbpf makes maps of.
    pub(super) data: Vec<usize>,
}

/// The section of maps that BTF describes.
const MAPS: &str = ".maps";

/// What of an object the kernel gets.
struct Kept<'a, 'data> {
    object: &'a Object<'data>,
    functions: &'a Functions,
    owners: &'a Owners,
    /// ELF indices.
    sections: BTreeSet<usize>,
    /// Relocations of those, by section.
    relocations: BTreeMap<usize, Vec<RawRelocation>>,
    /// Undefined symbols that the kernel half refers to.
    outside: HashSet<&'data str>,
}

/// Makes the copy.
///
/// # Errors
///
/// What of the object libbpf could not be given, with the cure.
pub(super) fn make(object: &Object<'_>, functions: &Functions, owners: &Owners) -> Result<Copy, String> {
    let mut btf = match section_data(object, ".BTF") {
        Some(bytes) => Some(RawBtf::parse(bytes).map_err(|error| format!("its BTF is damaged: {error}"))?),
        None => None,
    };
    let legacy = LegacyMaps::new(object)?;
    let kept = Kept::new(object, functions, owners, &legacy);
    let mut output = Output::new(object.endian);
    kept.sections(&legacy, &mut output)?;
    kept.symbols(&legacy, &mut output)?;
    if let Some(btf) = &mut btf {
        types::keep(&kept, btf);
    }
    if !legacy.is_empty() {
        legacy.describe(btf.get_or_insert_with(|| RawBtf::new(object.endianness())));
    }
    let ext = match (&mut btf, section_data(object, ".BTF.ext")) {
        (Some(btf), Some(bytes)) => types::keep_ext(&kept, btf, bytes)?,
        _ => None,
    };
    if let Some(btf) = btf {
        output.sections.push(OutSection::plain(".BTF", btf.write()));
    }
    if let Some(bytes) = ext {
        output.sections.push(OutSection::plain(".BTF.ext", bytes));
    }
    let data = kept.sections.iter().copied().filter(|&index| is_global_data(object.sections[index].name)).collect();
    Ok(Copy { bytes: output.write()?, data })
}

/// Whether libbpf makes a map of a data section of this name.
fn is_global_data(section: &str) -> bool {
    [".data", ".rodata", ".bss"]
        .iter()
        .any(|base| section.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

fn section_data<'data>(object: &Object<'data>, name: &str) -> Option<&'data [u8]> {
    object.sections.iter().find(|section| section.name == name && !section.data.is_empty()).map(|found| found.data)
}

impl<'a, 'data> Kept<'a, 'data> {
    fn new(
        object: &'a Object<'data>,
        functions: &'a Functions,
        owners: &'a Owners,
        legacy: &LegacyMaps<'_>,
    ) -> Self {
        let mut sections = BTreeSet::new();
        for (index, section) in object.sections.iter().enumerate() {
            let always = refers_for_kernel(section.name) || matches!(section.name, "license" | "version");
            if always && section.is_of_program() && section.size > 0 {
                sections.insert(index);
            }
        }
        let in_kernel = functions.list.iter().enumerate().filter(|(index, _)| owners.is_kernel(*index));
        for (_, function) in in_kernel {
            sections.insert(function.section);
            sections.extend(function.uses.iter().filter_map(|used| match used {
                Use::Data(section) => Some(*section),
                Use::Function(_) | Use::Outside(_) => None,
            }));
        }
        sections.retain(|&section| !legacy.is_section(section));
        let mut kept =
            Self { object, functions, owners, sections, relocations: BTreeMap::new(), outside: HashSet::new() };
        for &index in &kept.sections {
            let relocations = kept.relocations_of(index);
            let symbols = relocations.iter().map(|relocation| &object.symbols[relocation.symbol]);
            let outside = symbols.filter(|symbol| symbol.home == SymbolHome::Undefined).map(|symbol| symbol.name);
            kept.outside.extend(outside);
            kept.relocations.insert(index, relocations);
        }
        kept
    }

    /// The relocations of a section that stay.
    fn relocations_of(&self, index: usize) -> Vec<RawRelocation> {
        let section = &self.object.sections[index];
        if refers_for_kernel(section.name) {
            return section.relocations.clone();
        }
        let within = self
            .functions
            .list
            .iter()
            .enumerate()
            .filter(|(at, function)| function.section == index && self.owners.is_kernel(*at));
        let relocations =
            within.map(|(_, function)| relocations_within(&section.relocations, function.start, function.end));
        relocations.flatten().copied().collect()
    }

    /// Whether the function at a place is one that the kernel runs.
    fn has_function(&self, section: usize, offset: u64) -> bool {
        self.functions.at(section, offset).is_some_and(|function| self.owners.is_kernel(function))
    }

    /// The name of a section in the copy.
    fn name(&self, section: usize) -> String {
        let section = &self.object.sections[section];
        let renamed = if section.has(elf::SHF_EXECINSTR) { names::of_kernel(section.name) } else { None };
        renamed.unwrap_or_else(|| section.name.to_owned())
    }

    fn sections(&self, legacy: &LegacyMaps<'_>, output: &mut Output) -> Result<(), String> {
        let mut has_maps = false;
        for &index in &self.sections {
            let section = &self.object.sections[index];
            let mut data = section.data.to_vec();
            if section.name == MAPS {
                legacy.append(&mut data)?;
                has_maps = true;
            }
            output.place(index);
            output.sections.push(OutSection {
                name: self.name(index),
                kind: section.kind,
                // Without sizes of their elements, there is nothing to merge.
                flags: section.flags & !u64::from(elf::SHF_MERGE | elf::SHF_STRINGS | elf::SHF_GROUP),
                align: section.align.max(1),
                size: section.size.max(data.len() as u64),
                data,
                relocations: Vec::new(),
            });
        }
        if !legacy.is_empty() && !has_maps {
            let mut data = Vec::new();
            legacy.append(&mut data)?;
            output.sections.push(OutSection {
                flags: u64::from(elf::SHF_ALLOC | elf::SHF_WRITE),
                align: 8,
                ..OutSection::plain(MAPS, data)
            });
        }
        Ok(())
    }

    /// The symbols, and with them the relocations.
    fn symbols(&self, legacy: &LegacyMaps<'_>, output: &mut Output) -> Result<(), String> {
        let maps = output.sections.iter().position(|section| section.name == MAPS);
        let referred: HashSet<usize> =
            self.relocations.values().flatten().map(|relocation| relocation.symbol).collect();
        let mut places = BTreeMap::new();
        // Local symbols come first.
        let locals = self.object.symbols.iter().enumerate().filter(|(_, symbol)| symbol.binding == Binding::Local);
        let others = self.object.symbols.iter().enumerate().filter(|(_, symbol)| symbol.binding != Binding::Local);
        for (index, symbol) in locals.chain(others).filter(|(index, _)| *index > 0) {
            let is_kept = match symbol.home {
                SymbolHome::Undefined | SymbolHome::Absolute => referred.contains(&index),
                SymbolHome::Common => false,
                SymbolHome::Section(section)
                    if !self.sections.contains(&section) && !legacy.is_section(section) =>
                {
                    false
                }
                SymbolHome::Section(section) => {
                    referred.contains(&index)
                        || symbol.is_section()
                        || symbol.kind == elf::STT_OBJECT
                        || symbol.kind == elf::STT_FUNC && self.has_function(section, symbol.value)
                }
            };
            if !is_kept {
                continue;
            }
            let (section, value, size) = match symbol.home {
                SymbolHome::Section(home) if legacy.is_section(home) => {
                    let Some(value) = legacy.place(index) else { continue };
                    (maps, value, legacy_maps::SIZE)
                }
                SymbolHome::Section(home) => (output.placed(home), symbol.value, symbol.size),
                _ => (None, symbol.value, symbol.size),
            };
            places.insert(index, output.symbols.len());
            output.symbols.push(OutSymbol {
                name: symbol.name.to_owned(),
                section,
                is_absolute: symbol.home == SymbolHome::Absolute,
                binding: symbol.binding,
                visibility: symbol.visibility,
                kind: symbol.kind,
                value,
                size,
            });
        }
        for (&index, relocations) in &self.relocations {
            let Some(at) = output.placed(index) else { continue };
            for relocation in relocations {
                let symbol = *places.get(&relocation.symbol).ok_or_else(|| {
                    let name = crate::program::names::printable(self.object.symbols[relocation.symbol].name).into_owned();
                    format!(
                        "section `{}` refers to `{name}`, which libbpf cannot be given; make it a global variable or map \
                         with an initial value",
                        crate::program::names::printable(self.object.sections[index].name)
                    )
                })?;
                output.sections[at].relocations.push(OutRelocation {
                    offset: relocation.offset,
                    kind: relocation.kind,
                    symbol,
                    addend: relocation.addend,
                });
            }
        }
        Ok(())
    }
}
