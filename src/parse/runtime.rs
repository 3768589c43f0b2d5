//! The runtime: what a kernel gives to programs beside their instructions (`runtime/`), and when a program gets it.
//!
//! In: the objects that are given. Out: the members of the runtime's archive that define what they lack, as of an archive
//! that is given last.
//!
//! | the objects have | and the runtime is looked at for |
//! |---|---|
//! | an undefined symbol | its name |
//! | a call of helper `n` that none of them defines (`bpf_<name>`, or its link name) | its link name, `bpf_helper_<name>` |
//! | a legacy packet load | `bpf_load_packet` |
//! | one of these that the runtime defines, and a map of type `t` | `bpf_map_ops_<t>` |
//! | one of these, an arena, and variables in it | `bpf2native_rt_arena_globals` |
//! | one of these, and a map of a kernel half | `bpf_map_ops_kernel` |
//! | a kernel half that is a script's | `bpf_script_main` |
//! | such a map, or programs that are given packets | what embedders call (`crate::program::interface`), if that is asked for |
//!
//! Maps of a program that takes nothing else of the runtime are plain data: nothing of it can use them.
//!
//! The rule: a program that lacks nothing of it does not change by a byte, and nothing of the archive is read but its index.
//! A program asks for a few names, so that a search through the index takes less than to hash all that is in it.

use std::collections::BTreeSet;

use memchr::{memchr_iter, memmem};
use object::archive::MAGIC;
use object::read::archive::ArchiveFile;
use object::{Endianness, elf};

use super::error::ParseError;
use crate::abi::helpers::{self, LOAD_PACKET};
use crate::elf::instruction;
use crate::elf::{self as elf_object, Object};
use crate::program::{arena, interface, maps};

/// The archive of little-endian objects.
const LITTLE: &[u8] = include_bytes!("../../runtime/runtime.le.a");
/// The archive of big-endian objects.
const BIG: &[u8] = include_bytes!("../../runtime/runtime.be.a");

/// What the runtime's files are called in errors and line tables.
const NAME: &str = "runtime";

/// What an object lacks beside its undefined symbols.
#[derive(Default)]
pub(super) struct Lacks {
    helpers: BTreeSet<u32>,
    map_types: BTreeSet<u32>,
    packet_loads: bool,
    arena_data: bool,
    packet_programs: bool,
    kernel_maps: bool,
}

impl Lacks {
    /// Adds what an object lacks; whether its maps are the kernel's.
    pub(super) fn add(&mut self, object: &Object<'_>, is_kernel_half: bool) {
        for section in object.sections.iter().filter(|section| section.has(elf::SHF_EXECINSTR)) {
            for (index, slot) in instruction::slots(section.data, object.endianness()) {
                self.packet_loads |= slot.is_packet_load();
                let Some(number) = slot.helper() else { continue };
                let offset = (index * instruction::SLOT) as u64;
                let relocations = &section.relocations;
                if relocations.binary_search_by_key(&offset, |relocation| relocation.offset).is_err() {
                    self.helpers.insert(number);
                }
            }
            self.packet_programs |= interface::is_of_packet_programs(section.name);
        }
        if is_kernel_half {
            self.kernel_maps |= !object.maps.is_empty();
            return;
        }
        self.arena_data |= object.sections.iter().any(|section| section.name == arena::SECTION);
        let definitions = object.maps.iter().filter_map(|(_, definition)| definition.as_ref().ok());
        for definition in definitions.flat_map(|definition| definition.with_inner()) {
            self.map_types.insert(definition.kind);
        }
    }

    /// The names of functions that the runtime is looked at for, where `is_defined` says what the objects define.
    pub(super) fn functions(&self, is_defined: impl Fn(&str) -> bool) -> Vec<String> {
        let is_lacking = |number: &&u32| !helpers::c_name(**number).is_some_and(|name| is_defined(&name));
        let helpers = self.helpers.iter().filter(is_lacking).map(|&number| helpers::symbol(number));
        let packets = self.packet_loads.then(|| LOAD_PACKET.to_owned());
        helpers.chain(packets).collect()
    }

    /// What embedders call; of maps, if they are the runtime's.
    pub(super) fn interface(&self, has_maps: bool) -> impl Iterator<Item = &'static str> {
        let of_maps = interface::MAPS.iter().filter(move |_| has_maps && !self.map_types.is_empty());
        of_maps.chain(interface::PACKETS.iter().filter(|_| self.packet_programs)).copied()
    }

    /// What gives the start of an arena, where variables lie in one.
    pub(super) fn arena_base(&self) -> Option<&'static str> {
        (self.arena_data && self.map_types.contains(&arena::MAP_TYPE)).then_some(arena::BASE)
    }

    /// The names of the operations of its maps.
    pub(super) fn operations(&self) -> impl Iterator<Item = String> {
        let of_kernel = self.kernel_maps.then(|| maps::KERNEL_OPERATIONS.to_owned());
        self.map_types.iter().map(|&kind| maps::ops_symbol(kind)).chain(of_kernel)
    }
}

/// The archive, for one byte order.
pub(super) struct Archive {
    archive: ArchiveFile<'static>,
    bytes: &'static [u8],
    index: Index,
}

impl Archive {
    /// The archive for objects of this byte order.
    pub(super) fn of(endianness: Endianness) -> Result<Archive, ParseError> {
        let bytes = match endianness {
            Endianness::Little => LITTLE,
            Endianness::Big => BIG,
        };
        let archive = ArchiveFile::parse(bytes).map_err(damaged)?;
        let index = Index::of(bytes).ok_or_else(|| ParseError::Damaged {
            file: NAME.to_owned(),
            what: "it has no index of its symbols".to_owned(),
        })?;
        Ok(Archive { archive, bytes, index })
    }

    /// The place of the member that defines a name.
    pub(super) fn place(&self, name: &str) -> Option<u64> {
        self.index.place(name)
    }

    /// The member at a place.
    pub(super) fn member(&self, place: u64) -> Result<Object<'static>, ParseError> {
        let member = self.archive.member(object::read::archive::ArchiveOffset(place)).map_err(damaged)?;
        let bytes = member.data(self.bytes).map_err(damaged)?;
        Ok(elf_object::read(format!("{NAME}({})", String::from_utf8_lossy(member.name())), bytes)?)
    }
}

/// The index of an archive, its first member, as System V's and GNU's `ar` write it: a number `n`, the places of `n` members, and
/// `n` names that end in zeros. Numbers are big-endian and have 32 bits.
struct Index {
    places: &'static [[u8; 4]],
    names: &'static [u8],
}

impl Index {
    /// That of an archive; none if it has another one, or none.
    fn of(archive: &'static [u8]) -> Option<Index> {
        let header = archive.get(MAGIC.len()..)?.first_chunk::<60>()?;
        if !archive.starts_with(&MAGIC) || !header.starts_with(b"/ ") {
            return None;
        }
        let size: usize = str::from_utf8(&header[48..58]).ok()?.trim_end().parse().ok()?;
        let (count, rest) = archive.get(MAGIC.len() + 60..)?.get(..size)?.split_first_chunk()?;
        let (places, _) = rest.as_chunks();
        let places = places.get(..u32::from_be_bytes(*count) as usize)?;
        Some(Index { places, names: &rest[places.len() * 4..] })
    }

    /// The place of the first member that defines a name.
    fn place(&self, name: &str) -> Option<u64> {
        if name.is_empty() || name.contains('\0') {
            return None;
        }
        let ended = [name.as_bytes(), &[0]].concat();
        let found = memmem::find_iter(self.names, &ended);
        let at = found.into_iter().find(|&at| at == 0 || self.names[at - 1] == 0)?;
        let place = self.places.get(memchr_iter(0, &self.names[..at]).count())?;
        Some(u32::from_be_bytes(*place).into())
    }
}

fn damaged(error: object::read::Error) -> ParseError {
    ParseError::Damaged { file: NAME.to_owned(), what: elf_object::text(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_at_the_places_that_the_archive_says() {
        for endianness in [Endianness::Little, Endianness::Big] {
            let archive = Archive::of(endianness).unwrap();
            let mut places = std::collections::HashMap::new();
            for symbol in archive.archive.symbols().unwrap().unwrap() {
                let symbol = symbol.unwrap();
                let name = std::str::from_utf8(symbol.name()).unwrap();
                places.entry(name).or_insert(symbol.offset().0);
            }
            assert!(places.len() > 500, "{}", places.len());
            for (name, place) in &places {
                assert_eq!(archive.place(name), Some(*place), "{name}");
                // Parts of names, and two names.
                for other in [&name[1..], &name[..name.len() - 1], &format!("{name}\0"), &format!("\0{name}")] {
                    assert_eq!(archive.place(other), places.get(other).copied(), "{other:?}");
                }
            }
            let names: Vec<&str> = places.keys().copied().collect();
            names.windows(2).for_each(|pair| assert_eq!(archive.place(&pair.join("\0")), None));
            assert_eq!(archive.place(""), None);
            assert_eq!(archive.place("snprintf"), None);
        }
    }
}
