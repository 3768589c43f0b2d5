//! The maps of an object: what it declares, and its variables.
//!
//! | data section | map |
//! |---|---|
//! | `.maps`, `maps` | as its definition says ([`MapDefinition`]); pinning, inner maps and the like make no difference, the kernel reports missing ones itself |
//! | any other | an array of one element, which is the section |

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use super::bpf::{self, MapKind};
use crate::program::maps::{MapDefinition, PERF_EVENT_ARRAY};
use crate::program::{Contents, DataSectionId, Program};

const ARRAY: u32 = 2;
/// `BPF_F_RDONLY_PROG`: the verifier knows the values of what is never written.
const READ_ONLY: u32 = 1 << 7;

/// The maps of an object, which are created when they are first used.
pub(crate) struct Maps<'a> {
    program: &'a Program,
    /// By section, and by offset in it where the section has several.
    made: HashMap<(DataSectionId, u64), OwnedFd>,
}

/// What an address in data is for the kernel.
pub(crate) enum Address<'a> {
    /// A map.
    Map(&'a OwnedFd),
    /// A place in the only value of a map.
    Value(&'a OwnedFd, u32),
}

impl<'a> Maps<'a> {
    pub fn new(program: &'a Program) -> Maps<'a> {
        Maps { program, made: HashMap::new() }
    }

    /// What an address in a data section is.
    pub fn address(&mut self, section: DataSectionId, offset: i64) -> Result<Address<'_>, String> {
        let offset = u64::try_from(offset).map_err(|_| "it uses an address before its data".to_owned())?;
        let data = &self.program.data[section];
        let is_maps = matches!(data.name.as_str(), ".maps" | "maps");
        let key = (section, if is_maps { offset } else { 0 });
        if !self.made.contains_key(&key) {
            let map = if is_maps { self.declared(section, offset)? } else { self.variables(section)? };
            self.made.insert(key, map);
        }
        let map = &self.made[&key];
        Ok(match is_maps {
            true => Address::Map(map),
            false => Address::Value(map, offset as u32),
        })
    }

    fn declared(&self, section: DataSectionId, offset: u64) -> Result<OwnedFd, String> {
        let declared = |map: &&crate::program::Map| map.section == section && map.offset == offset;
        let map = self.program.maps.iter().find(declared).ok_or("it uses the middle of a map")?;
        let kind = map.definition.as_ref().map(kernel_kind);
        let kind = kind.ok_or_else(|| format!("what map `{}` is cannot be read", map.name))?;
        bpf::create_map(&kind).map_err(|error| format!("the kernel does not make the map `{}`: {error}", map.name))
    }

    fn variables(&self, section: DataSectionId) -> Result<OwnedFd, String> {
        let data = &self.program.data[section];
        let failed = |error: std::io::Error| format!("the kernel does not take section `{}`: {error}", data.name);
        let value_size = u32::try_from(data.contents.len()).map_err(|_| "its data is too large".to_owned())?;
        let flags = if crate::declare::is_writable(data.kind) { 0 } else { READ_ONLY };
        let map = MapKind { kind: ARRAY, key_size: 4, value_size, max_entries: 1, flags };
        let map = bpf::create_map(&map).map_err(failed)?;
        if let Contents::Bytes(bytes) = &data.contents {
            bpf::set_first(&map, bytes).map_err(failed)?;
        }
        Ok(map)
    }
}

/// What the kernel is asked for.
fn kernel_kind(definition: &MapDefinition) -> MapKind {
    let MapDefinition { kind, key_size, value_size, mut max_entries, flags, .. } = *definition;
    if kind == PERF_EVENT_ARRAY && max_entries == 0 {
        // SAFETY: it only asks for a number.
        let processors = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_CONF) };
        max_entries = u32::try_from(processors).unwrap_or(1);
    }
    MapKind { kind, key_size, value_size, max_entries, flags }
}
