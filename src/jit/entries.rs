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
use crate::program::{DataSectionId, FunctionId, Program};

/// A map in memory.
#[derive(Clone)]
pub(super) struct MapEntry {
    /// Where its descriptor is.
    pub address: usize,
    /// What it is; none if the definition cannot be read.
    pub definition: Option<Arc<MapDefinition>>,
}

/// A global variable in memory.
#[derive(Clone, Copy)]
pub(super) struct GlobalEntry {
    pub address: usize,
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
) -> BTreeMap<String, GlobalEntry> {
    let is_map = |id: DataSectionId| program.maps.iter().any(|map| map.section == id);
    let each = program.symbols.iter().filter_map(|(_, symbol)| {
        let data = &program.data[symbol.section];
        if program.is_of_runtime(data.file) || is_map(symbol.section) {
            return None;
        }
        let address = section(symbol.section)?.wrapping_add(symbol.offset as usize);
        let entry = GlobalEntry { address, size: symbol.size, is_writable: is_writable(data.kind) };
        Some((symbol.name.clone(), entry))
    });
    each.collect()
}
