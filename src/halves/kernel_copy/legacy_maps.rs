//! Maps of `SEC("maps")`, as libbpf 0 and perf had them, as BTF describes maps today.
//!
//! In: an object. Out: a `struct` for each, whose members' types have the numbers of its `struct bpf_map_def`, in a section `.maps`,
//! behind the maps that are there already. The rule: a map keeps its name.

use std::collections::{HashMap, HashSet};

use crate::btf::raw::{RawBtf, RawType, kind};
use crate::elf::{Object, SymbolHome};
use crate::program::{MapDefinition, names};

/// The section of maps that BTF describes.
pub(super) const MAPS: &str = ".maps";

/// What a definition says, by libbpf's names.
const MEMBERS: [&str; 5] = ["type", "key_size", "value_size", "max_entries", "map_flags"];

/// Bytes of a definition: a pointer for each member.
pub(super) const SIZE: u64 = 8 * MEMBERS.len() as u64;

/// The maps of an object in legacy sections.
pub(super) struct LegacyMaps<'data> {
    /// Symbols' indices, names, definitions; by place.
    maps: Vec<(usize, &'data str, MapDefinition)>,
    /// The maps' indices among them, by symbol.
    places: HashMap<usize, u64>,
    /// The legacy sections.
    sections: HashSet<usize>,
    /// Bytes of the section `.maps` before them.
    before: u64,
}

impl<'data> LegacyMaps<'data> {
    /// Finds them.
    ///
    /// # Errors
    ///
    /// Of the first definition that cannot be read.
    pub(super) fn new(object: &Object<'data>) -> Result<Self, String> {
        let is_legacy = |name: &str| name == "maps" || name.starts_with("maps/");
        let sections = object.sections.iter().enumerate().filter(|(_, section)| is_legacy(section.name));
        let sections: HashSet<usize> = sections.map(|(index, _)| index).collect();
        let mut maps = Vec::new();
        for (symbol, definition) in &object.maps {
            let SymbolHome::Section(section) = object.symbols[*symbol].home else { continue };
            if sections.contains(&section) {
                let name = object.symbols[*symbol].name;
                let definition =
                    definition.clone().map_err(|what| format!("map `{}`: {what}", names::printable(name)))?;
                maps.push((*symbol, name, definition));
            }
        }
        let place = |symbol: usize| match object.symbols[symbol].home {
            SymbolHome::Section(section) => (section, object.symbols[symbol].value),
            _ => (0, 0),
        };
        maps.sort_by_key(|(symbol, ..)| place(*symbol));
        let before = object.sections.iter().find(|section| section.name == MAPS).map_or(0, |maps| maps.size);
        let places = maps.iter().map(|(symbol, ..)| *symbol).zip(0..).collect();
        Ok(Self { maps, places, sections, before: before.next_multiple_of(8) })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.maps.is_empty()
    }

    /// Whether a section is a legacy one.
    pub(super) fn is_section(&self, section: usize) -> bool {
        self.sections.contains(&section)
    }

    /// The place of a map, by its symbol, in `.maps`.
    pub(super) fn place(&self, symbol: usize) -> Option<u64> {
        Some(self.before + SIZE * self.places.get(&symbol)?)
    }

    /// Adds their definitions to a section's bytes.
    ///
    /// # Errors
    ///
    /// If the section is not as long as it says.
    pub(super) fn append(&self, data: &mut Vec<u8>) -> Result<(), String> {
        if self.is_empty() {
            return Ok(());
        }
        let before = usize::try_from(self.before).ok().filter(|before| data.len().next_multiple_of(8) == *before);
        let before = before.ok_or("section `.maps` has no bytes for its maps; compile the object again")?;
        data.resize(before + self.maps.len() * SIZE as usize, 0);
        Ok(())
    }

    /// Adds what they are to the object's types.
    pub(super) fn describe(&self, btf: &mut RawBtf) {
        let int_name = btf.add_string("int");
        // 4 bytes, signed, 32 bits.
        let int = btf.add(RawType::new(int_name, kind::INT, 0, 4, &[1 << 24 | 32]));
        let members = MEMBERS.map(|name| btf.add_string(name));
        let mut entries = Vec::new();
        for ((_, name, definition), index) in self.maps.iter().zip(0..) {
            let MapDefinition { kind, key_size, value_size, max_entries, flags, .. } = *definition;
            let mut added = Vec::new();
            for ((number, member), index) in
                [kind, key_size, value_size, max_entries, flags].into_iter().zip(members).zip(0..)
            {
                let array = btf.add(RawType::new(0, kind::ARRAY, 0, 0, &[int, int, number]));
                let pointer = btf.add(RawType::new(0, kind::POINTER, 0, array, &[]));
                added.extend([member, pointer, 64 * index]);
            }
            let ty = btf.add(RawType::new(0, kind::STRUCT, MEMBERS.len() as u32, SIZE as u32, &added));
            let name = btf.add_string(name);
            let variable = btf.add(RawType::new(name, kind::VARIABLE, 0, ty, &[1]));
            entries.extend([variable, (self.before + SIZE * index) as u32, SIZE as u32]);
        }
        let known = btf
            .types
            .iter()
            .position(|ty| ty.kind() == kind::DATA_SECTION && btf.string(ty.name()) == MAPS.as_bytes());
        match known {
            Some(known) => {
                let ty = &mut btf.types[known];
                ty.words.extend(&entries);
                ty.words[1] += self.maps.len() as u32;
                // libbpf finds out the size of a section that says 0.
                ty.words[2] = 0;
            }
            None => {
                let name = btf.add_string(MAPS);
                let size = SIZE as u32 * self.maps.len() as u32;
                btf.add(RawType::new(name, kind::DATA_SECTION, self.maps.len() as u32, size, &entries));
            }
        }
    }
}
