//! What of a program in memory has a name beside its functions: maps, global variables, and the runtime's functions that work on
//! them.
//!
//! In: a program; where its sections and functions are. Out: addresses by names. The rule: the runtime's functions are those that
//! came out of the runtime, and never a program's own of that name.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Linker;
use crate::declare::is_writable;
use crate::program::interface::{MAPS, PACKETS};
use crate::program::maps::MapDefinition;
use crate::program::{DataSectionId, DataSymbol, FunctionId, Program};

/// A map in memory.
#[derive(Clone)]
pub(super) struct MapEntry {
    /// Where its descriptor is.
    pub address: usize,
    /// What it is; none if the definition cannot be read.
    pub definition: Option<Arc<MapDefinition>>,
}

/// Where a variable is.
#[derive(Clone, Copy)]
pub(super) enum Place {
    At(usize),
    /// In an arena: the runtime's function that gives its start, its map, and how far from the start.
    Arena {
        base: usize,
        map: usize,
        offset: usize,
    },
}

impl Place {
    /// The place of a symbol.
    pub(super) fn of(
        program: &Program,
        symbol: &DataSymbol,
        section: impl Fn(DataSectionId) -> Option<usize>,
        function: impl Fn(FunctionId) -> Option<usize>,
    ) -> Option<Place> {
        let offset = symbol.offset as usize;
        let placed = program.arena.as_ref().zip(program.arena_section(symbol.section));
        let in_arena = placed.and_then(|(arena, placed)| {
            let map = section(placed.map.0)?.wrapping_add(placed.map.1 as usize);
            let offset = offset.wrapping_add(placed.offset as usize);
            Some(Place::Arena { base: function(arena.base)?, map, offset })
        });
        in_arena.or_else(|| Some(Place::At(section(symbol.section)?.wrapping_add(offset))))
    }

    /// The address. An arena is mapped when it is first asked for.
    pub(super) fn address(self) -> usize {
        match self {
            Place::At(address) => address,
            Place::Arena { base, map, offset } => {
                // SAFETY: the function is the runtime's, as it was translated with the program, and takes an arena's map.
                let base: unsafe extern "C-unwind" fn(usize) -> usize = unsafe { std::mem::transmute(base) };
                // SAFETY: as above; the module, which has the map, outlives the call.
                unsafe { base(map) }.wrapping_add(offset)
            }
        }
    }
}

/// A global variable in memory.
#[derive(Clone, Copy)]
pub(super) struct GlobalEntry {
    pub place: Place,
    /// In bytes.
    pub size: u64,
    /// Whether its memory may be written.
    pub is_writable: bool,
}

/// Addresses of the runtime's functions, by name.
pub(super) type Interface = BTreeMap<&'static str, usize>;

/// What the runtime's functions for maps call, and for packets.
const NEEDED: [&str; 2] = ["calloc", "free"];
const NEEDED_FOR_PACKETS: [&str; 2] = ["mmap", "pthread_self"];

/// The program, in which the runtime's functions for who embeds it are kept, as far as it has them and what they call may be
/// called.
pub(super) fn with_interface<'p>(program: &'p Program, linker: &Linker) -> Cow<'p, Program> {
    let is_allowed = |needed: &[&str]| needed.iter().all(|name| !linker.forbids(name));
    if !program.has_runtime() || !is_allowed(&NEEDED) {
        return Cow::Borrowed(program);
    }
    let has_packets = is_allowed(&NEEDED_FOR_PACKETS);
    let allowed = functions(program).filter(|(name, _)| has_packets || !PACKETS.contains(name));
    let added: Vec<FunctionId> = allowed.map(|(_, id)| id).filter(|id| !program.kept.contains(id)).collect();
    if added.is_empty() {
        return Cow::Borrowed(program);
    }
    let mut program = program.clone();
    program.kept.extend(added);
    Cow::Owned(program)
}

/// The runtime's functions for who embeds it.
fn functions(program: &Program) -> impl Iterator<Item = (&'static str, FunctionId)> {
    let id = |name: &str| program.function_named(name).filter(|&id| program.is_runtime_function(id));
    MAPS.iter().chain(&PACKETS).filter_map(move |&name| Some((name, id(name)?)))
}

/// Where they are.
pub(super) fn interface(program: &Program, address: impl Fn(FunctionId) -> Option<usize>) -> Interface {
    functions(program).filter_map(|(name, id)| Some((name, address(id)?))).collect()
}

/// The maps, by name.
pub(super) fn maps(
    program: &Program,
    section: impl Fn(DataSectionId) -> Option<usize>,
) -> BTreeMap<String, MapEntry> {
    let each = program.maps.iter().filter_map(|map| {
        let address = section(map.section)?.wrapping_add(map.offset as usize);
        Some((map.name.clone(), MapEntry { address, definition: map.definition.clone().map(Arc::new) }))
    });
    each.collect()
}

/// The global variables that are no maps, by name.
pub(super) fn globals(
    program: &Program,
    section: impl Fn(DataSectionId) -> Option<usize>,
    function: impl Fn(FunctionId) -> Option<usize>,
) -> BTreeMap<String, GlobalEntry> {
    let is_map = |id: DataSectionId| program.maps.iter().any(|map| map.section == id);
    let each = program.symbols.iter().filter_map(|(_, symbol)| {
        let data = &program.data[symbol.section];
        if program.is_of_runtime(data.file) || is_map(symbol.section) {
            return None;
        }
        let place = Place::of(program, symbol, &section, &function)?;
        let entry = GlobalEntry { place, size: symbol.size, is_writable: is_writable(data.kind) };
        Some((symbol.name.clone(), entry))
    });
    each.collect()
}
