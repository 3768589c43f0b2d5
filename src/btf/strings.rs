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
    /// Takes the table over. Bytes that are not UTF-8 (source text in an older encoding)
    /// become `?`, and so do those of characters that a terminal obeys, but for tabs.
    pub(super) fn new(bytes: &[u8]) -> Result<Self, BtfError> {
        if bytes.first() != Some(&0) || bytes.last() != Some(&0) {
            return Err(BtfError::StringTable);
        }
        let mut text = String::with_capacity(bytes.len());
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
        let ends = (0..).zip(text.bytes()).filter(|&(_, byte)| byte == 0).map(|(offset, _)| offset).collect();
        Ok(Strings { text, ends })
    }

    /// The string that begins at `offset`.
    pub(super) fn get(&self, offset: u32) -> Result<&str, BtfError> {
        let index = self.ends.partition_point(|&end| end < offset);
        let begins = offset == 0 || index > 0 && self.ends[index - 1] + 1 == offset;
        let end = self.ends.get(index).filter(|_| begins).ok_or(BtfError::String { offset })?;
        self.text.get(offset as usize..*end as usize).ok_or(BtfError::String { offset })
    }
}
