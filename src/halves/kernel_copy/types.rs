//! BTF and `.BTF.ext` of the kernel's copy: without what is not there.
//!
//! In: what is kept, and both sections of the object. Out: the same, where each type has its number, and
//!
//! | type | stays if |
//! |---|---|
//! | `FUNC` of the object | the kernel runs it |
//! | `DATASEC` of `.kconfig` and `.ksyms` | with the entries that the kernel half refers to |
//! | other `DATASEC` | the section is there |
//! | `VAR`, `FUNC` of others | such a section lists it |
//! | `DECL_TAG` | what it tags stays |
//! | any other | always: relocations, and the verifier, may look for it by its name |
//!
//! What does not stay is a pointer to `void`, which says nothing and is refused by nobody. Records of instructions stay for
//! functions that the kernel runs.

use std::collections::{HashMap, HashSet};

use super::kept::Kept;
use crate::btf::raw::{RawBtf, RawExt, RawType, kind};
use crate::elf::{Symbol, SymbolHome};

/// `BTF_FUNC_EXTERN`, `BTF_VAR_GLOBAL_EXTERN`.
const EXTERN: u32 = 2;

/// Takes out of the types what the copy does not have.
pub(super) fn keep(kept: &Kept<'_, '_>, btf: &mut RawBtf) {
    let sections: HashSet<&str> = kept.sections.iter().map(|&index| kept.object.sections[index].name).collect();
    let mut listed = HashSet::new();
    let mut dropped: HashSet<u32> = HashSet::new();
    for index in 0..btf.types.len() {
        let ty = &btf.types[index];
        if ty.kind() != kind::DATA_SECTION {
            continue;
        }
        let name = btf.string(ty.name());
        let is_extern = matches!(name, b".kconfig" | b".ksyms");
        let is_there = std::str::from_utf8(name).is_ok_and(|name| sections.contains(name));
        let is_kept = |[variable, ..]: &[u32; 3]| {
            let variable = (*variable as usize).checked_sub(1).and_then(|index| btf.types.get(index));
            variable.is_some_and(|variable| {
                std::str::from_utf8(btf.string(variable.name())).is_ok_and(|name| kept.outside.contains(name))
            })
        };
        let entries: Vec<[u32; 3]> = ty.entries().filter(|entry| is_there || is_extern && is_kept(entry)).collect();
        if entries.is_empty() {
            dropped.insert(index as u32 + 1);
            continue;
        }
        listed.extend(entries.iter().map(|[variable, ..]| *variable));
        let (name, word) = (ty.name(), ty.target());
        btf.types[index] = RawType::new(name, kind::DATA_SECTION, entries.len() as u32, word, &entries.concat());
    }
    let is_function = |symbol: &&Symbol<'_>| match symbol.home {
        SymbolHome::Section(section) => {
            symbol.kind == object::elf::STT_FUNC && kept.has_function(section, symbol.value)
        }
        _ => false,
    };
    let functions: HashSet<&str> =
        kept.object.symbols.iter().filter(is_function).map(|symbol| symbol.name).collect();
    for (index, ty) in btf.types.iter().enumerate() {
        let id = index as u32 + 1;
        let is_kept = match ty.kind() {
            kind::FUNCTION if ty.linkage() != EXTERN => {
                std::str::from_utf8(btf.string(ty.name())).is_ok_and(|name| functions.contains(name))
            }
            kind::FUNCTION | kind::VARIABLE => listed.contains(&id),
            _ => true,
        };
        if !is_kept {
            dropped.insert(id);
        }
    }
    let tags = btf.types.iter().enumerate().filter(|(_, ty)| ty.kind() == kind::DECL_TAG);
    let tags: Vec<u32> =
        tags.filter(|(_, ty)| dropped.contains(&ty.target())).map(|(index, _)| index as u32 + 1).collect();
    for id in dropped.into_iter().chain(tags) {
        btf.types[id as usize - 1] = RawType::new(0, kind::POINTER, 0, 0, &[]);
    }
}

/// Takes out of `.BTF.ext` what is of functions that the copy does not have.
///
/// # Errors
///
/// If the section is damaged.
pub(super) fn keep_ext(kept: &Kept<'_, '_>, btf: &mut RawBtf, bytes: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let mut ext = RawExt::parse(bytes).map_err(|error| format!("its `.BTF.ext` is damaged: {error}"))?;
    let named = kept.sections.iter().map(|&index| (kept.object.sections[index].name.as_bytes(), index));
    let named: HashMap<&[u8], usize> = named.collect();
    // What a name in the strings is in the copy.
    let mut renamed: HashMap<u32, u32> = HashMap::new();
    for part in &mut ext.parts {
        for section in &mut part.sections {
            let index = named.get(btf.string(section.name)).copied();
            let Some(index) = index else {
                section.records.clear();
                continue;
            };
            section.records.retain(|record| kept.has_function(index, u64::from(record[0])));
            let new = kept.name(index);
            if new != kept.object.sections[index].name {
                section.name = *renamed.entry(section.name).or_insert_with(|| btf.add_string(&new));
            }
        }
    }
    Ok(ext.write())
}
