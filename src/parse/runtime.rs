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
//!
//! Maps of a program that takes nothing else of the runtime are plain data: nothing of it can use them.
//!
//! The rule: a program that lacks nothing of it does not change by a byte, and nothing of the archive is read but its index.

use std::collections::BTreeSet;

use object::read::archive::ArchiveFile;
use object::{Endianness, elf};

use super::error::ParseError;
use super::instruction;
use super::object::{self as elf_object, Object};
use crate::abi::helpers::{self, LOAD_PACKET};
use crate::program::maps;

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
    packets: bool,
}

impl Lacks {
    /// Adds what an object lacks.
    pub(super) fn add(&mut self, object: &Object<'_>) {
        for section in object.sections.iter().filter(|section| section.has(elf::SHF_EXECINSTR)) {
            for (offset, number) in instruction::helper_calls(section.data, object.endianness()) {
                let relocations = &section.relocations;
                if relocations.binary_search_by_key(&offset, |relocation| relocation.offset).is_err() {
                    self.helpers.insert(number);
                }
            }
            self.packets |= instruction::has_packet_loads(section.data, object.endianness());
        }
        let definitions = object.maps.iter().filter_map(|(_, definition)| definition.as_ref().ok());
        for definition in definitions.flat_map(|definition| definition.with_inner()) {
            self.map_types.insert(definition.kind);
        }
    }

    /// The names of functions that the runtime is looked at for, where `is_defined` says what the objects define.
    pub(super) fn functions(&self, is_defined: impl Fn(&str) -> bool) -> Vec<String> {
        let is_lacking = |number: &&u32| !helpers::c_name(**number).is_some_and(|name| is_defined(&name));
        let helpers = self.helpers.iter().filter(is_lacking).map(|&number| helpers::symbol(number));
        let packets = self.packets.then(|| LOAD_PACKET.to_owned());
        helpers.chain(packets).collect()
    }

    /// The names of the operations of its maps.
    pub(super) fn operations(&self) -> impl Iterator<Item = String> {
        self.map_types.iter().map(|&kind| maps::ops_symbol(kind))
    }
}

/// The archive, for one byte order.
pub(super) struct Archive {
    archive: ArchiveFile<'static>,
    bytes: &'static [u8],
}

impl Archive {
    /// The archive for objects of this byte order.
    pub(super) fn of(endianness: Endianness) -> Result<Archive, ParseError> {
        let bytes = match endianness {
            Endianness::Little => LITTLE,
            Endianness::Big => BIG,
        };
        Ok(Archive { archive: ArchiveFile::parse(bytes).map_err(damaged)?, bytes })
    }

    /// Each name that it defines, with the place of the member that does.
    pub(super) fn names(&self) -> Result<Vec<(&'static str, u64)>, ParseError> {
        let mut names = Vec::new();
        for symbol in self.archive.symbols().map_err(damaged)?.into_iter().flatten() {
            let symbol = symbol.map_err(damaged)?;
            if let Ok(name) = std::str::from_utf8(symbol.name()) {
                names.push((name, symbol.offset().0));
            }
        }
        Ok(names)
    }

    /// The member at a place.
    pub(super) fn member(&self, place: u64) -> Result<Object<'static>, ParseError> {
        let member = self.archive.member(object::read::archive::ArchiveOffset(place)).map_err(damaged)?;
        let bytes = member.data(self.bytes).map_err(damaged)?;
        elf_object::read(format!("{NAME}({})", String::from_utf8_lossy(member.name())), bytes)
    }
}

fn damaged(error: object::read::Error) -> ParseError {
    ParseError::Damaged { file: NAME.to_owned(), what: elf_object::text(error) }
}
