//! The string table of a `.BTF` section: names of types and members, and the source lines that `.BTF.ext` shows.
//!
//! A string is named by its byte offset. Offsets into the middle of a string are refused: no producer makes them, and
//! so all different strings together are never longer than the table, whatever refers to them.

use super::BtfError;
use crate::program::names::is_unprintable;

/// NUL-terminated strings, all valid UTF-8.
#[derive(Clone, Debug)]
pub(super) struct Strings {
    text: String,
    /// Where each string ends: so that the length of a string is found without reading it.
    ends: Vec<u32>,
}

impl Strings {
    /// A table that is whole: the first string is empty.
    pub(super) fn new(bytes: &[u8]) -> Result<Self, BtfError> {
        match bytes {
            [0, ..] => {}
            // The strings of split BTF have no empty one in front, and may be none.
            [.., 0] | [] => return Err(BtfError::NeedsBase),
            _ => return Err(BtfError::StringTable),
        }
        let mut strings = Strings { text: String::new(), ends: Vec::new() };
        strings.append(bytes)?;
        Ok(strings)
    }

    /// Puts the strings of split BTF behind those of its base, from which they are counted.
    pub(super) fn extend(&mut self, bytes: &[u8]) -> Result<(), BtfError> {
        match bytes {
            [0, ..] => Err(BtfError::NoBase),
            [] => Ok(()),
            bytes => self.append(bytes),
        }
    }

    /// Adds to the table. Bytes that are not UTF-8 (source text in an older encoding)
    /// become `?`, and so do those of characters that a terminal obeys, but for tabs.
    fn append(&mut self, bytes: &[u8]) -> Result<(), BtfError> {
        if bytes.last() != Some(&0) {
            return Err(BtfError::StringTable);
        }
        let Strings { text, ends } = self;
        let start = text.len();
        text.reserve(bytes.len());
        // Most tables have nothing that takes a closer look.
        let is_plain = |byte: u8| matches!(byte, 0 | b'\t' | b' '..=b'~');
        let plain = bytes.iter().fold(true, |all, &byte| all & is_plain(byte)).then(|| str::from_utf8(bytes).ok());
        if let Some(plain) = plain.flatten() {
            text.push_str(plain);
        } else {
            append_printable(text, bytes);
        }
        let zeros = memchr::memchr_iter(0, &text.as_bytes()[start..]);
        ends.extend(zeros.map(|offset| (start + offset) as u32));
        Ok(())
    }

    /// Bytes of the table.
    pub(super) fn size(&self) -> usize {
        self.text.len()
    }

    /// The string that begins at `offset`.
    pub(super) fn get(&self, offset: u32) -> Result<&str, BtfError> {
        let index = self.ends.partition_point(|&end| end < offset);
        let begins = offset == 0 || index > 0 && self.ends[index - 1] + 1 == offset;
        let end = self.ends.get(index).filter(|_| begins).ok_or(BtfError::String { offset })?;
        self.text.get(offset as usize..*end as usize).ok_or(BtfError::String { offset })
    }
}

/// Appends text with what is not printable replaced.
fn append_printable(text: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        let mut valid = chunk.valid();
        while let Some(at) = valid.find(|c| is_unprintable(c) && c != '\0' && c != '\t') {
            let length = valid[at..].chars().next().map_or(1, char::len_utf8);
            text.push_str(&valid[..at]);
            text.extend(std::iter::repeat_n('?', length));
            valid = &valid[at + length..];
        }
        text.push_str(valid);
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
}
