//! Tables of names, as text: a name and what is known of it on each line, sorted.

/// The line of `name` without it: a binary search over the text, which is sorted.
pub(super) fn find(table: &'static str, name: &str) -> Option<&'static str> {
    let (mut low, mut high) = (0, table.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = table[..middle].rfind('\n').map_or(0, |newline| newline + 1);
        let end = table[middle..].find('\n').map_or(table.len(), |length| middle + length);
        let (found, types) = table[start..end].split_once('\t')?;
        match name.cmp(found) {
            std::cmp::Ordering::Equal => return Some(types),
            std::cmp::Ordering::Less => high = start,
            std::cmp::Ordering::Greater => low = end + 1,
        }
    }
    None
}
