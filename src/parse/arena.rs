//! Global variables in arenas.
//!
//! In: the program, whose maps have their definitions. Out: initial values of the arenas' maps, of which the runtime fills their first
//! pages ([`place`], before there are descriptors); and [`ArenaData`], by which code finds the variables ([`find`]).
//!
//! A section belongs to the first arena of its own object, or else of the program. Sections of one arena follow each other, each aligned
//! as it asks for. As libbpf has it, nothing is relocated in them, and pointers in other data are to their initial bytes.

use super::error::ParseError;
use crate::program::arena::{BASE, MAP_TYPE, SECTION};
use crate::program::{ArenaData, ArenaSection, DataSectionId, FileId, Map, MapValue, Program, Target};

/// Bytes of a page.
const PAGE: u64 = 4096;
/// Where a variable is, and how many bytes there are, have 32 bits.
const MOST_PAGES: u64 = (1 << 20) - 1;

/// Gives each arena its sections, as initial values: the index is the offset in the arena, with the size in the upper half. Maps of the
/// object `kernel` are the kernel's.
pub(super) fn place(kernel: Option<FileId>, program: &mut Program) -> Result<(), ParseError> {
    if program.function_named(BASE).is_none_or(|base| !program.is_runtime_function(base)) {
        return Ok(());
    }
    let sections: Vec<DataSectionId> =
        program.data.iter().filter(|(_, data)| data.name == SECTION).map(|(id, _)| id).collect();
    for section in sections {
        let data = &program.data[section];
        let file = |map: &Map| program.data[map.section].file;
        let is_ours = |map: &Map| is_arena(map) && kernel != Some(file(map));
        let own = program.maps.iter().position(|map| is_ours(map) && file(map) == data.file);
        let index = own.or_else(|| program.maps.iter().position(is_ours));
        let Some(index) = index else { continue };
        let end = program.maps[index].values.last().map_or(0, |value| offset(value) + size(value));
        let (start, size) = (end.next_multiple_of(data.align.max(1)), data.contents.len());
        let map = &mut program.maps[index];
        let pages = map.definition.as_ref().map_or(0, |definition| u64::from(definition.max_entries));
        if start + size > pages.min(MOST_PAGES) * PAGE {
            let what = format!(
                "its {pages} pages are too few for the variables of section `{SECTION}`, which take {} bytes",
                start + size
            );
            let file = program.files[program.data[section].file].clone();
            return Err(ParseError::Map { file, map: map.name.clone(), what });
        }
        if size > 0 {
            map.values.push(MapValue { index: size << 32 | start, target: Target::Data { section, offset: 0 } });
        }
    }
    Ok(())
}

/// Finds what [`place`] has placed, once the maps have descriptors.
pub(super) fn find(program: &mut Program) {
    let Some(base) = program.function_named(BASE).filter(|&base| program.is_runtime_function(base)) else { return };
    let placed = program.maps.iter().filter(|map| is_arena(map)).flat_map(|map| {
        map.values.iter().filter_map(move |value| match value.target {
            Target::Data { section, .. } => {
                Some(ArenaSection { section, offset: offset(value), map: (map.section, map.offset) })
            }
            _ => None,
        })
    });
    let mut sections: Vec<ArenaSection> = placed.collect();
    sections.sort_by_key(|placed| placed.section);
    program.arena = (!sections.is_empty()).then_some(ArenaData { base, sections });
}

fn is_arena(map: &Map) -> bool {
    map.definition.as_ref().is_some_and(|definition| definition.kind == MAP_TYPE)
}

fn offset(value: &MapValue) -> u64 {
    value.index & u64::from(u32::MAX)
}

fn size(value: &MapValue) -> u64 {
    value.index >> 32
}
