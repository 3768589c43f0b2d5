//! Reads of `struct bpf_map` by CO-RE: `map->max_entries` of a map that the program has a pointer to, which is a descriptor here.
//!
//! In: an object's types and CO-RE relocations. Out: [`MapTypes`], which gives those relocations that ask for a field of a map the
//! field's place in a descriptor (`struct map` of `runtime/runtime.h`).
//!
//! | field | in the descriptor |
//! |---|---|
//! | `map_type`, `key_size`, `value_size`, `max_entries`, `map_flags`, `numa_node` | as defined |
//! | `map_extra` | as defined |
//! | `id` | the map's number in the program, from 1 on |
//!
//! A type that begins with a `struct bpf_map`, such as `struct bpf_htab`, begins with a descriptor. What asks for other fields stays as
//! it is: nothing here has them.

use crate::btf::core::{CoreError, Relocator};
use crate::btf::raw::{RawBtf, RawType, kind};
use crate::btf::{Btf, CoreRelocation, Kind, TypeId};

/// The kernel's type.
const MAP: &str = "bpf_map";

/// Bytes of a descriptor.
const SIZE: u32 = 128;

/// Fields with their offsets in a descriptor and their bytes. The first is an enum.
const FIELDS: [(&str, u32, u32); 8] = [
    ("map_type", 16, 4),
    ("key_size", 20, 4),
    ("value_size", 24, 4),
    ("max_entries", 28, 4),
    ("map_flags", 32, 4),
    ("numa_node", 36, 4),
    ("map_extra", 40, 8),
    ("id", super::descriptors::ID as u32, 4),
];

/// The types of descriptors, by the kernel's names.
pub(super) fn types(local: &Btf) -> Option<Btf> {
    let essential = |name: &str| name.split("___").next().unwrap_or_default().to_owned();
    let is_map = |id: TypeId| {
        let (_, ty) = local.resolve(id).ok()?;
        (matches!(ty.kind, Kind::Struct(_)) && essential(local.name(ty.name)) == MAP).then_some(())
    };
    let mut has_map = false;
    let mut beginning = Vec::new();
    for (id, ty) in local.types() {
        let Kind::Struct(composite) = ty.kind else { continue };
        has_map |= is_map(id).is_some();
        if let Some(first) = local.members(composite).first()
            && first.bit_offset == 0
            && is_map(first.ty).is_some()
        {
            beginning.push((essential(local.name(ty.name)), local.name(first.name).to_owned()));
        }
    }
    if !has_map {
        return None;
    }
    beginning.sort();
    beginning.dedup();
    Btf::parse(&raw(local, &beginning).write()).ok()
}

/// `struct bpf_map` as the descriptors are, and types that begin with one.
fn raw(local: &Btf, beginning: &[(String, String)]) -> RawBtf {
    let mut raw = RawBtf::new(local.endianness());
    let mut int = |text: &str, bytes: u32| {
        let name = raw.add_string(text);
        raw.add(RawType::new(name, kind::INT, 0, bytes, &[8 * bytes]))
    };
    let (word, double) = (int("unsigned int", 4), int("unsigned long long", 8));
    let kinds = raw.add(RawType::new(0, kind::ENUM, 0, 4, &[]));
    let mut members = Vec::new();
    for (name, offset, bytes) in FIELDS {
        let ty = match (name, bytes) {
            ("map_type", _) => kinds,
            (_, 8) => double,
            _ => word,
        };
        members.extend([raw.add_string(name), ty, 8 * offset]);
    }
    let name = raw.add_string(MAP);
    let map = raw.add(RawType::new(name, kind::STRUCT, FIELDS.len() as u32, SIZE, &members));
    for (name, member) in beginning {
        let (name, member) = (raw.add_string(name), raw.add_string(member));
        raw.add(RawType::new(name, kind::STRUCT, 1, SIZE, &[member, map, 0]));
    }
    raw
}

/// The relocations that ask for fields of descriptors.
pub(super) struct MapTypes<'a>(Relocator<'a>);

impl<'a> MapTypes<'a> {
    /// From an object's types to the descriptors' ([`types`]).
    pub(super) fn new(local: &'a Btf, types: &'a Btf) -> Result<Self, CoreError> {
        Relocator::new(local, types).map(MapTypes)
    }

    /// Takes those relocations out of `records` and applies them.
    pub(super) fn take(
        &mut self,
        section: &str,
        records: &[CoreRelocation],
        code: &mut [u8],
    ) -> Result<Vec<CoreRelocation>, CoreError> {
        let (own, others): (Vec<_>, Vec<_>) = records.iter().cloned().partition(|record| self.0.finds(record));
        self.0.relocate(section, &own, code)?;
        Ok(others)
    }
}
