//! How far r10 is aligned where a compiler presumed it: locals with `_Alignas(64)` or of a type with such an alignment.
//!
//! In: the objects, and the program with the sizes of its frames. Out: `stack_alignment` of functions.
//!
//! LLVM puts such a local at a multiple of its alignment below r10, and thinks that r10 is a multiple of it too: no
//! instruction shows that. (bpf-gcc computes `r10 - 96 & -64`, and needs nothing.) DWARF names each alignment that is not
//! a type's own (`DW_AT_alignment`, of variables, members and types), but not by function where code was inlined, so:
//!
//! | a function's frame is aligned to the largest | |
//! |---|---|
//! | alignment above 8 that the object's DWARF names, or that a vector of it has | of a variable or of a type |
//! | that its size is a multiple of, if `.stack_sizes` says its size | LLVM rounds a frame's size to what is in it |
//!
//! Objects without such alignments, which are nearly all, are known by their abbreviations. Functions whose frames' addresses
//! are nowhere computed need none ([`crate::graph::Frame`]).

use std::collections::hash_map::{Entry, HashMap};
use std::collections::{BTreeMap, BTreeSet};

use gimli::{Abbreviations, DebugAbbrev, DebugInfo};

use super::{MOST_ABBREVIATIONS, Sections};
use crate::elf::Object;
use crate::program::{FileId, Id, Program};

/// What all BPF frames are aligned to.
const USUAL: u64 = 8;

/// The largest alignment that is taken for one.
const LARGEST_ALIGNMENT: u64 = 1 << 20;

/// The largest element of a vector, in bytes.
const ELEMENT: u64 = 16;

/// How `DW_AT_alignment` and `DW_AT_GNU_vector` are written in tables of abbreviations.
const NAMES: [[u8; 2]; 2] = [[0x88, 0x01], [0x87, 0x42]];

/// Adds to `program`, which was made of `objects`.
pub(in crate::parse) fn add(objects: &[Object<'_>], program: &mut Program) {
    let mut known: BTreeMap<FileId, BTreeSet<u64>> = BTreeMap::new();
    for id in program.functions.ids() {
        let function = &mut program.functions[id];
        let file = program.code[function.section].file;
        let alignments =
            known.entry(file).or_insert_with(|| objects.get(file.index()).map(alignments).unwrap_or_default());
        let fits = |alignment: &&u64| function.stack_size.is_none_or(|size| size > 0 && size % **alignment == 0);
        function.stack_alignment = alignments.iter().rev().find(fits).copied();
    }
}

/// The alignments above the usual one that an object names.
fn alignments(object: &Object<'_>) -> BTreeSet<u64> {
    let abbreviations = object.sections.iter().find(|section| section.name == ".debug_abbrev");
    let names = |bytes: &[u8]| bytes.windows(2).any(|pair| NAMES.iter().any(|name| name == pair));
    if !abbreviations.is_some_and(|section| names(section.data)) {
        return BTreeSet::new();
    }
    Sections::new(object).map(|sections| sections.alignments()).unwrap_or_default()
}

impl Sections<'_> {
    fn alignments(&self) -> BTreeSet<u64> {
        let [info, abbreviations, ..] = &self.data;
        let (info, tables) = (DebugInfo::new(info, self.endian), DebugAbbrev::new(abbreviations, self.endian));
        let mut found = BTreeSet::new();
        let (mut attributes_left, mut abbreviations_left) = (4 * self.data[0].len(), MOST_ABBREVIATIONS);
        let mut known: HashMap<usize, Abbreviations> = HashMap::new();
        let mut units = info.units();
        while let Ok(Some(header)) = units.next() {
            let offset = header.debug_abbrev_offset();
            let table = match known.entry(offset.0) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let bytes = abbreviations.len().saturating_sub(offset.0);
                    let Some(rest) = abbreviations_left.checked_sub(bytes) else { break };
                    abbreviations_left = rest;
                    let Ok(table) = tables.abbreviations(offset) else { continue };
                    entry.insert(table)
                }
            };
            let Ok(mut entries) = header.entries_raw(table, None) else { continue };
            let (mut attributes, mut in_vector) = (Vec::new(), false);
            while !entries.is_empty() {
                // What is damaged ends the unit; the next one starts where its header says.
                let abbreviation = match entries.read_abbreviation() {
                    Ok(Some(abbreviation)) => abbreviation,
                    Ok(None) => continue,
                    // What is damaged ends the unit; the next one starts where its header says.
                    Err(_) => break,
                };
                let of = abbreviation.attributes();
                let Some(rest) = attributes_left.checked_sub(of.len()) else { return found };
                attributes_left = rest;
                let tag = abbreviation.tag();
                let names = |wanted| of.iter().any(|attribute| attribute.name() == wanted);
                let is_dimension = in_vector && tag == gimli::DW_TAG_subrange_type;
                if !is_dimension && !names(gimli::DW_AT_alignment) && !names(gimli::DW_AT_GNU_vector) {
                    if entries.skip_attributes(of).is_err() {
                        break;
                    }
                    continue;
                }
                if entries.read_attributes(of, &mut attributes).is_err() {
                    break;
                }
                in_vector = names(gimli::DW_AT_GNU_vector) || (in_vector && !is_dimension);
                for attribute in &attributes {
                    match (attribute.name(), attribute.value()) {
                        (gimli::DW_AT_alignment, value) => take(&mut found, value.udata_value()),
                        (gimli::DW_AT_count, value) if is_dimension => {
                            vector(&mut found, value.udata_value());
                        }
                        (gimli::DW_AT_upper_bound, value) if is_dimension => {
                            vector(&mut found, value.udata_value().and_then(|last| last.checked_add(1)));
                        }
                        _ => {}
                    }
                }
            }
        }
        found
    }
}

fn take(found: &mut BTreeSet<u64>, alignment: Option<u64>) {
    let fits =
        |alignment: &u64| alignment.is_power_of_two() && *alignment > USUAL && *alignment <= LARGEST_ALIGNMENT;
    found.extend(alignment.filter(fits));
}

/// A vector of so many elements is aligned to its size.
fn vector(found: &mut BTreeSet<u64>, count: Option<u64>) {
    let Some(count) = count.and_then(u64::checked_next_power_of_two) else { return };
    let mut bytes = 1;
    while bytes <= ELEMENT {
        take(found, count.checked_mul(bytes));
        bytes *= 2;
    }
}
