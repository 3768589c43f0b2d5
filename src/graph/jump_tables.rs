//! What is in a jump table.

use crate::program::{Contents, DataSection, Endianness, Program};

/// Words in memory.
pub(super) fn words(bytes: &[u8], endianness: Endianness) -> impl Iterator<Item = u64> + '_ {
    bytes.as_chunks::<8>().0.iter().map(move |&word| match endianness {
        Endianness::Little => u64::from_le_bytes(word),
        Endianness::Big => u64::from_be_bytes(word),
    })
}

/// The entries of a jump table: byte offsets in its code section.
pub fn jump_table_entries<'a>(program: &Program, table: &'a DataSection) -> impl Iterator<Item = u64> + use<'a> {
    let bytes: &[u8] = match &table.contents {
        Contents::Bytes(bytes) => bytes,
        Contents::Zeros(_) => &[],
    };
    words(bytes, program.endianness)
}
