//! Numbers out of bytes, in the byte order of the section, never past its end.

use super::BtfError;
use crate::program::endianness::Endianness;

/// The magic number of both sections.
const MAGIC: u16 = 0xeb9f;

/// The bytes of a section and their byte order.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) endianness: Endianness,
}

/// The common start of the headers of `.BTF` and `.BTF.ext`: magic (u16), version (u8), flags (u8), length (u32).
pub(super) struct Header<'a> {
    /// The whole section.
    pub(super) reader: Reader<'a>,
    /// Length of the header, from which all offsets in it are counted; at least 24, at most the section's length.
    pub(super) length: usize,
}

impl<'a> Header<'a> {
    /// Checks the start of `section`.
    pub(super) fn read(bytes: &'a [u8], section: &'static str) -> Result<Self, BtfError> {
        let endianness = match bytes.get(..2) {
            Some(magic) if magic == MAGIC.to_le_bytes() => Endianness::Little,
            Some(magic) if magic == MAGIC.to_be_bytes() => Endianness::Big,
            _ => return Err(BtfError::Magic { section }),
        };
        let reader = Reader { bytes, endianness };
        let version = reader.array::<1>(2, "the header")?[0];
        if version != 1 {
            return Err(BtfError::Version { section, version });
        }
        let length = reader.u32(4, "the header")?;
        if length < 24 || length as usize > bytes.len() {
            return Err(BtfError::Header { what: "the header's length", value: length });
        }
        Ok(Header { reader, length: length as usize })
    }

    /// The part of the section that the two fields at `field` (offset after the header, length) describe: where it
    /// starts in the section, and its bytes.
    pub(super) fn part(&self, field: usize, what: &'static str) -> Result<(usize, &'a [u8]), BtfError> {
        let offset = self.reader.u32(field, what)? as usize;
        let length = self.reader.u32(field + 4, what)? as usize;
        let start = self.length.saturating_add(offset);
        let bytes = self.reader.bytes.get(start..start.saturating_add(length));
        Ok((start, bytes.ok_or(BtfError::Truncated { what, offset: start })?))
    }
}

impl Reader<'_> {
    /// `N` bytes at `offset`.
    fn array<const N: usize>(&self, offset: usize, what: &'static str) -> Result<[u8; N], BtfError> {
        let bytes = self.bytes.get(offset..).and_then(|rest| rest.first_chunk::<N>());
        bytes.copied().ok_or(BtfError::Truncated { what, offset })
    }

    /// The number at `offset`.
    pub(super) fn u32(&self, offset: usize, what: &'static str) -> Result<u32, BtfError> {
        let bytes = self.array::<4>(offset, what)?;
        Ok(match self.endianness {
            Endianness::Little => u32::from_le_bytes(bytes),
            Endianness::Big => u32::from_be_bytes(bytes),
        })
    }

    /// The `N` numbers at `offset`.
    pub(super) fn words<const N: usize>(&self, offset: usize, what: &'static str) -> Result<[u32; N], BtfError> {
        let mut words = [0; N];
        for (index, word) in words.iter_mut().enumerate() {
            *word = self.u32(offset.saturating_add(4 * index), what)?;
        }
        Ok(words)
    }
}
