//! Global variables that lie in an arena (`__arena_global`).
//!
//! libbpf puts a section `.addr_space.1` into the first pages of the object's arena, where the program and whoever shares the arena
//! with it have its variables. Where that is, is known once the arena is mapped: code asks the runtime (`bpf2native_rt_arena_globals`).

use super::{DataSectionId, FunctionId, Program, Target};

/// The name of sections whose variables lie in an arena (libbpf's `ARENA_SEC`).
pub(crate) const SECTION: &str = ".addr_space.1";
/// `BPF_MAP_TYPE_ARENA`.
pub(crate) const MAP_TYPE: u32 = 33;
/// The runtime's function that gives the start of a map's arena.
pub(crate) const BASE: &str = "bpf2native_rt_arena_globals";

/// The sections whose variables lie in arenas.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArenaData {
    /// The runtime's function: the start of the arena of a map.
    pub base: FunctionId,
    /// Sorted by section.
    pub sections: Vec<ArenaSection>,
}

/// One of them: its bytes are what the arena has there at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArenaSection {
    /// The section.
    pub section: DataSectionId,
    /// Where in the arena it begins, in bytes.
    pub offset: u64,
    /// The arena's map: the section and offset of its descriptor.
    pub map: (DataSectionId, u64),
}

impl Program {
    /// Where in an arena a section lies, if it does.
    pub fn arena_section(&self, section: DataSectionId) -> Option<ArenaSection> {
        let sections = &self.arena.as_ref()?.sections;
        let found = sections.binary_search_by_key(&section, |found| found.section).ok()?;
        Some(sections[found])
    }

    /// The place in an arena that a target is: the section, and the offset in it.
    pub fn arena_place(&self, target: Target) -> Option<(ArenaSection, i64)> {
        self.arena.as_ref()?;
        let (section, offset) = match target {
            Target::Data { section, offset } => (section, offset),
            Target::Symbol { symbol, addend } => {
                let symbol = &self.symbols[symbol];
                (symbol.section, symbol.offset.cast_signed().wrapping_add(addend))
            }
            _ => return None,
        };
        Some((self.arena_section(section)?, offset))
    }
}
