//! What a symbol means, plus an addend: the one place that turns symbols into places of the program.
//!
//! In: a symbol of an object. Out: an [`Address`], or why it has none.

use object::elf;

use super::jump_tables::JumpTables;
use super::merge::{Definition, Globals, SymbolRef};
use super::sections::{Home, Layout};
use crate::elf::{Object, SymbolHome};
use crate::program::names;
use crate::program::{Binding, CodeSectionId, DataSectionId};

/// What a field refers to, before functions are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// An instruction: a byte offset inside the section, and the weak name by which it is meant, if that is so: an index of
    /// [`Globals::list`].
    Code { section: CodeSectionId, offset: u64, weak: Option<usize> },
    /// A place in a data section.
    Data { section: DataSectionId, offset: i64 },
    /// A place relative to what a name means that others see, of data or undefined: an index of [`Globals::list`].
    Global { global: usize, addend: i64 },
    /// A number.
    Absolute(u64),
}

/// All that symbols may refer to.
pub(super) struct Symbols<'a, 'data> {
    pub(super) objects: &'a [Object<'data>],
    pub(super) globals: &'a Globals<'data>,
    pub(super) layout: &'a Layout,
    /// For each of [`Globals::list`], the section of its COMMON block.
    pub(super) commons: &'a [Option<DataSectionId>],
    pub(super) tables: &'a JumpTables,
}

impl Symbols<'_, '_> {
    /// The meaning of symbol `at`, plus `addend`.
    pub(super) fn address(&self, at: SymbolRef, addend: i64) -> Result<Address, String> {
        match self.objects[at.object].symbols[at.symbol].kind {
            elf::STT_TLS => return Err("is to a thread-local variable; use an ordinary one".to_owned()),
            elf::STT_GNU_IFUNC => return Err("is to an indirect function; use an ordinary one".to_owned()),
            _ => {}
        }
        let Some(global) = self.globals.of(at) else { return self.place(at, addend) };
        match self.globals.list[global].definition {
            Definition::None => Ok(Address::Global { global, addend }),
            Definition::Common { .. } if self.commons[global].is_some() => Ok(Address::Global { global, addend }),
            Definition::Common { .. } => Err("has no place".to_owned()),
            Definition::Symbol(chosen, binding) => match self.place(chosen, addend)? {
                Address::Data { .. } => Ok(Address::Global { global, addend }),
                Address::Code { section, offset, .. } if binding == Binding::Weak && addend == 0 => {
                    Ok(Address::Code { section, offset, weak: Some(global) })
                }
                address => Ok(address),
            },
        }
    }

    /// The place of this very symbol, plus `addend`.
    fn place(&self, at: SymbolRef, addend: i64) -> Result<Address, String> {
        let object = &self.objects[at.object];
        let symbol = &object.symbols[at.symbol];
        let section = match symbol.home {
            SymbolHome::Section(section) => section,
            // Symbol 0 stands for no symbol.
            SymbolHome::Undefined if at.symbol == 0 => return Ok(Address::Absolute(addend.cast_unsigned())),
            SymbolHome::Absolute => return Ok(Address::Absolute(symbol.value.wrapping_add_signed(addend))),
            SymbolHome::Undefined | SymbolHome::Common => {
                return Err("is to a local symbol that is not defined; make it global".to_owned());
            }
        };
        let place = symbol.value.wrapping_add_signed(addend);
        let name = names::printable(object.sections[section].name);
        match self.layout.home(at.object, section) {
            Home::Data(section) => Ok(Address::Data { section, offset: place.cast_signed() }),
            Home::Code(id) => {
                let size = self.layout.code[id].bytes.len();
                if place < size as u64 && place.is_multiple_of(8) {
                    return Ok(Address::Code { section: id, offset: place, weak: None });
                }
                Err(format!(
                    "is to {place:#x} in section `{name}`, where no instruction is; compile the object again"
                ))
            }
            Home::JumpTables => {
                let (data, offset) = self
                    .tables
                    .place(at.object, section, place)
                    .ok_or_else(|| format!("is to {place:#x} in section `{name}`, where no jump table is"))?;
                Ok(Address::Data { section: data, offset: offset.cast_signed() })
            }
            Home::Nowhere => Err(format!(
                "is to section `{name}`, which is not a part of the program; make it an allocated section"
            )),
            Home::Discarded => Err(format!(
                "is to section `{name}`, of which {} has one copy too many; compile all objects with the same options",
                object.name
            )),
        }
    }
}
