//! Prefixes of source files' paths that are replaced, as `-ffile-prefix-map` does it for compilers.

use std::str::FromStr;

/// What a path begins with, and what it is to begin with instead: `/home/me/project=.`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixMap {
    old: String,
    new: String,
}

/// A prefix map makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no OLD=NEW: which prefix of a path, and what to put in its place")]
pub struct PrefixMapError(String);

impl FromStr for PrefixMap {
    type Err = PrefixMapError;

    fn from_str(text: &str) -> Result<PrefixMap, PrefixMapError> {
        // As in compilers, the last `=` separates.
        match text.rsplit_once('=') {
            Some((old, new)) if !old.is_empty() => Ok(PrefixMap { old: old.to_owned(), new: new.to_owned() }),
            _ => Err(PrefixMapError(text.to_owned())),
        }
    }
}

impl std::fmt::Display for PrefixMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.old, self.new)
    }
}

/// The path, with the prefix replaced that fits; of several, the one that was given last.
pub fn mapped(maps: &[PrefixMap], path: &str) -> Option<String> {
    maps.iter().rev().find_map(|map| {
        let rest = path.strip_prefix(&map.old)?;
        let mapped = format!("{}{rest}", map.new);
        Some(if map.new.is_empty() { mapped.trim_start_matches('/').to_owned() } else { mapped })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_that_fits_is_used() {
        let maps = ["/home/me=~", "/home/me/project=", "/a=b=c"].map(|map| map.parse().unwrap());
        assert_eq!(mapped(&maps, "/home/me/x.c").as_deref(), Some("~/x.c"));
        assert_eq!(mapped(&maps, "/home/me/project/x.c").as_deref(), Some("x.c"));
        assert_eq!(mapped(&maps, "/a=b/x.c").as_deref(), Some("c/x.c"));
        assert_eq!(mapped(&maps, "x.c"), None);
        assert!("x".parse::<PrefixMap>().is_err() && "=x".parse::<PrefixMap>().is_err());
    }
}
