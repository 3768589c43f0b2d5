//! What of an object the kernel gets: sections, relocations, symbols.
//!
//! In: the object, its functions and their owners. Out: [`Kept`], and from that the output's sections and symbols. The rule: what a
//! kernel program reaches stays whole, and nothing in it refers to what does not stay.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use object::elf;

use super::legacy_maps::{self, LegacyMaps, MAPS};
use super::write::{OutRelocation, OutSection, OutSymbol, Output};
use crate::elf::{Object, RawRelocation, SymbolHome};
use crate::halves::functions::{Functions, Use, relocations_within};
use crate::halves::names;
use crate::halves::owner::{Owners, refers_for_kernel};
use crate::program::{Binding, names as texts};

/// What of an object the kernel gets.
pub(super) struct Kept<'a, 'data> {
    pub(super) object: &'a Object<'data>,
    pub(super) functions: &'a Functions,
    pub(super) owners: &'a Owners,
    /// ELF indices.
    pub(super) sections: BTreeSet<usize>,
    /// Relocations of those, by section.
    pub(super) relocations: BTreeMap<usize, Vec<RawRelocation>>,
    /// Undefined symbols that the kernel half refers to.
    pub(super) outside: HashSet<&'data str>,
}

impl<'a, 'data> Kept<'a, 'data> {
    pub(super) fn new(
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
        let within = self.functions.of_section(index);
        let kept = within.filter(|&function| self.owners.is_kernel(function));
        let relocations = kept.flat_map(|function| {
            let function = &self.functions.list[function];
            relocations_within(&section.relocations, function.start, function.end)
        });
        relocations.copied().collect()
    }

    /// Whether the function at a place is one that the kernel runs.
    pub(super) fn has_function(&self, section: usize, offset: u64) -> bool {
        self.functions.at(section, offset).is_some_and(|function| self.owners.is_kernel(function))
    }

    /// The name of a section in the copy.
    pub(super) fn name(&self, section: usize) -> String {
        let section = &self.object.sections[section];
        let renamed = if section.has(elf::SHF_EXECINSTR) { names::of_kernel(section.name) } else { None };
        renamed.unwrap_or_else(|| section.name.to_owned())
    }

    pub(super) fn sections(&self, legacy: &LegacyMaps<'_>, output: &mut Output) -> Result<(), String> {
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
    pub(super) fn symbols(&self, legacy: &LegacyMaps<'_>, output: &mut Output) -> Result<(), String> {
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
                    let name = texts::printable(self.object.symbols[relocation.symbol].name).into_owned();
                    format!(
                        "section `{}` refers to `{name}`, which libbpf cannot be given; make it a global variable or map \
                         with an initial value",
                        texts::printable(self.object.sections[index].name)
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
