//! The objects that write the coverage and the profile of executables and shared libraries when they end (`src/coverage/writer.c`,
//! `src/coverage/profile.c`).
//!
//! In: a byte order. Out: the object, which is added to those that are given. It is not counted itself.

use object::Endianness;

use super::error::ParseError;
use crate::elf::{self, Object};

/// An object in both byte orders.
pub(super) struct Writer {
    little: &'static [u8],
    big: &'static [u8],
    /// What it is called in errors and listings.
    name: &'static str,
}

/// That of coverage.
pub(super) const COVERAGE: Writer = Writer {
    little: include_bytes!("../coverage/writer.le.o"),
    big: include_bytes!("../coverage/writer.be.o"),
    name: "coverage",
};

/// That of profiles.
pub(super) const PROFILE: Writer = Writer {
    little: include_bytes!("../coverage/profile.le.o"),
    big: include_bytes!("../coverage/profile.be.o"),
    name: "profile",
};

impl Writer {
    /// The object for programs of this byte order.
    pub(super) fn object(&self, endianness: Endianness) -> Result<Object<'static>, ParseError> {
        let bytes = match endianness {
            Endianness::Little => self.little,
            Endianness::Big => self.big,
        };
        Ok(elf::read(self.name.to_owned(), bytes)?)
    }
}
