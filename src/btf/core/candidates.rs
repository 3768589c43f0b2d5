//! Types of the target by name.
//!
//! A name may carry a flavor: `task_struct___old` is another view of `task_struct`. The flavor is what follows the
//! last `___` that has other characters on both sides; what is before it is the essential name.

use std::collections::HashMap;

use crate::btf::{Btf, Name, TypeId};

/// The types of a BTF section by essential name.
#[derive(Debug)]
pub(super) struct Candidates<'a>(HashMap<&'a str, Vec<TypeId>>);

impl<'a> Candidates<'a> {
    pub(super) fn new(btf: &'a Btf) -> Self {
        let mut names: Vec<(Name, TypeId)> = btf.types().map(|(id, ty)| (ty.name, id)).collect();
        names.retain(|(name, _)| !name.is_empty());
        names.sort_unstable();
        let mut candidates: HashMap<&str, Vec<TypeId>> = HashMap::new();
        // A name is looked at once, however many types have it.
        for group in names.chunk_by(|left, right| left.0 == right.0) {
            let essential = essential_name(btf.name(group[0].0));
            candidates.entry(essential).or_default().extend(group.iter().map(|(_, id)| id));
        }
        Candidates(candidates)
    }

    /// Types with the essential name of `name`.
    pub(super) fn of(&self, name: &str) -> &[TypeId] {
        self.0.get(essential_name(name)).map_or(&[], Vec::as_slice)
    }
}

/// The name without its flavor.
pub(super) fn essential_name(name: &str) -> &str {
    let separator = |window: &[u8]| window[0] != b'_' && window[4] != b'_' && window[1..4] == *b"___";
    match name.as_bytes().windows(5).rposition(separator) {
        Some(index) => &name[..name.ceil_char_boundary(index + 1)],
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::essential_name;

    #[test]
    fn a_flavor_follows_three_underscores() {
        let cases = [
            ("task_struct", "task_struct"),
            ("task_struct___old", "task_struct"),
            ("a___b___c", "a___b"),
            ("a____b", "a____b"),
            ("___a", "___a"),
            ("a___", "a___"),
            ("__a___b", "__a"),
            ("é___b", "é"),
            ("", ""),
        ];
        for (name, essential) in cases {
            assert_eq!(essential_name(name), essential, "`{name}`");
        }
    }
}
