//! Names of C++ and Rust, which BTF has unmangled, without what they are in: `lib::level(long)` is `level` there.
//!
//! In: an object. Out: the names that its undefined symbols' mangled ones are made of. No demangling: each name stands
//! behind its length (Itanium ABI 5.1.3 `<source-name>`, Rust's v0 `<undisambiguated-identifier>`).

use std::collections::HashSet;

use crate::elf::{Object, SymbolHome};

/// The longest name that is looked at, in bytes: the work is in proportion to the symbols.
const LONGEST: usize = 128;

/// The parts of the mangled names of undefined symbols; none for an object in which no name is mangled.
pub(super) fn names<'data>(object: &Object<'data>) -> Option<HashSet<&'data str>> {
    let is_mangled = |name: &str| name.starts_with("_Z") || name.starts_with("_R");
    if !object.symbols.iter().any(|symbol| is_mangled(symbol.name)) {
        return None;
    }
    let undefined = object.symbols.iter().filter(|symbol| symbol.home == SymbolHome::Undefined);
    Some(undefined.filter(|symbol| is_mangled(symbol.name)).flat_map(|symbol| parts(symbol.name)).collect())
}

/// What stands behind a number that is its length.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    (0..name.len()).filter_map(move |start| {
        let rest = name.get(start..)?;
        let digits = rest.bytes().take(3).take_while(u8::is_ascii_digit).count();
        let length = rest.get(..digits)?.parse().ok().filter(|length| (1..=LONGEST).contains(length))?;
        rest.get(digits..digits + length)
    })
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn names_in_names() {
        for (name, part) in [
            ("_ZN3lib5levelEPKl", "level"),
            ("_ZNK3lib5Point5alongEd", "along"),
            ("_Z5levelf", "level"),
            ("_RNvCs1234_7mycrate5level", "level"),
            ("_ZN3lib5StackILi4EE4pushEi", "push"),
        ] {
            assert!(parts(name).any(|found| found == part), "{name}");
        }
        assert_eq!(parts("level").count(), 0);
        assert!(!parts("_Z6levelsf").any(|found| found == "level"));
    }
}
