//! The object that writes the coverage of executables and shared libraries when they end (`src/coverage/writer.c`).
//!
//! In: a byte order. Out: the object, which is added to those that are given. It has no source lines, so it is not covered itself.

use object::Endianness;

use super::error::ParseError;
use crate::elf::{self, Object};

/// The object of a little-endian program.
const LITTLE: &[u8] = include_bytes!("../coverage/writer.le.o");
/// The object of a big-endian program.
const BIG: &[u8] = include_bytes!("../coverage/writer.be.o");

/// What it is called in errors and listings.
pub(super) const NAME: &str = "coverage";

/// The object for programs of this byte order.
pub(super) fn writer(endianness: Endianness) -> Result<Object<'static>, ParseError> {
    let bytes = match endianness {
        Endianness::Little => LITTLE,
        Endianness::Big => BIG,
    };
    Ok(elf::read(NAME.to_owned(), bytes)?)
}
