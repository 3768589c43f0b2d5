//! Data that is made here: bytes, and the pointers in them.
//!
//! In: what is put where. Out: the contents of a data section. The rule: each part begins at a multiple of 8.

use crate::program::{Contents, DataKind, DataSection, FileId, Relocation, Target};

/// What parts are aligned to.
pub(super) const ALIGN: u64 = 8;

/// Bytes and relocations.
#[derive(Default)]
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    pub(super) relocations: Vec<Relocation>,
}

impl Block {
    /// Adds zeros at the next multiple of 8; where they are.
    pub(super) fn add(&mut self, size: u64) -> u64 {
        let at = self.bytes.len().next_multiple_of(ALIGN as usize);
        self.bytes.resize(at + size as usize, 0);
        at as u64
    }

    /// Adds a text with its NUL; where it is.
    pub(super) fn add_text(&mut self, text: &str) -> u64 {
        let raw = crate::program::names::raw(text);
        let at = self.add(raw.len() as u64 + 1);
        self.put(at, raw.as_bytes());
        at
    }

    pub(super) fn put(&mut self, at: u64, bytes: &[u8]) {
        self.bytes[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    }

    pub(super) fn refer(&mut self, at: u64, target: Target) {
        self.relocations.push(Relocation { offset: at, target });
    }

    /// A section that is written by relocation only.
    pub(super) fn into_constants(mut self, file: FileId, name: &str) -> DataSection {
        self.relocations.sort_by_key(|relocation| relocation.offset);
        DataSection {
            file,
            name: name.to_owned(),
            group: None,
            retained: false,
            kind: DataKind::ReadOnly,
            align: ALIGN,
            contents: Contents::Bytes(self.bytes),
            relocations: self.relocations,
        }
    }
}
