//! Tables of names, as text: a name and what is known of it on each line, sorted.

use memchr::{memchr, memrchr};

/// The line of `name` without it: a binary search over the text, which is sorted.
pub(super) fn find(table: &'static str, name: &str) -> Option<&'static str> {
    let bytes = table.as_bytes();
    let (mut low, mut high) = (0, table.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = memrchr(b'\n', &bytes[..middle]).map_or(0, |newline| newline + 1);
        let end = memchr(b'\n', &bytes[middle..]).map_or(table.len(), |length| middle + length);
        let tab = start + memchr(b'\t', &bytes[start..end])?;
        match name.as_bytes().cmp(&bytes[start..tab]) {
            std::cmp::Ordering::Equal => return table.get(tab + 1..end),
            std::cmp::Ordering::Less => high = start,
            std::cmp::Ordering::Greater => low = end + 1,
        }
    }
    None
}
