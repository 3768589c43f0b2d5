//! Sections by what they are called and what they belong to: groups, and the ends of sections.
//!
//! A linker puts sections of one name side by side, and defines `__start_NAME` and `__stop_NAME` where the name is one that C
//! can spell: a registry is an array that objects add to. So a section that is no compiler's own keeps its name.

use super::{Contents, DataKind, DataSection};

/// Bytes of a pointer.
const POINTER_BYTES: u64 = 8;

/// Sections that a linker keeps or leaves out together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// Its name.
    pub signature: String,
    /// A link has one of this name (COMDAT).
    pub is_comdat: bool,
}

/// A section that is not loaded: what coverage tools look for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attached {
    /// Its name.
    pub name: String,
    /// Its alignment.
    pub align: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Attached {
    /// The names of such sections: of LLVM's maps of source code for counters.
    pub const NAMES: [&'static str; 2] = ["__llvm_covfun", "__llvm_covmap"];
}

/// An end of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Its first byte.
    Start,
    /// Past its last byte.
    Stop,
}

/// The end of a section that an undefined symbol of this name is, and the section's name.
pub fn edge(symbol: &str) -> Option<(Edge, &str)> {
    let named = |prefix, edge| symbol.strip_prefix(prefix).map(|section| (edge, section));
    let edge = named("__start_", Edge::Start).or_else(|| named("__stop_", Edge::Stop));
    let is_identifier = |name: &str| {
        let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
        name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
    };
    edge.filter(|(_, section)| is_identifier(section))
}

impl DataSection {
    /// Whether its name is the program's own choice, and not that of compilers for data of some kind.
    pub fn keeps_name(&self) -> bool {
        let is_data = matches!(self.kind, DataKind::Data | DataKind::ReadOnly | DataKind::Settable);
        is_data && !self.name.is_empty() && !self.name.starts_with('.') && self.name != super::COMMON
    }

    /// The `size` bytes from `start` on, if they are the same whenever they are read: nobody writes them, and they are no pointer.
    pub fn constant_bytes(&self, start: u64, size: u64) -> Option<&[u8]> {
        let (DataKind::ReadOnly, Contents::Bytes(bytes)) = (self.kind, &self.contents) else { return None };
        let end = start.checked_add(size)?;
        let pointer = self.relocations.partition_point(|pointer| pointer.offset + POINTER_BYTES <= start);
        let has_pointer = self.relocations.get(pointer).is_some_and(|pointer| pointer.offset < end);
        let bytes = bytes.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?);
        bytes.filter(|_| !has_pointer)
    }
}

#[cfg(test)]
mod tests {
    use super::{Edge, edge};

    #[test]
    fn ends_of_sections_that_c_can_spell() {
        assert_eq!(edge("__start_cmds"), Some((Edge::Start, "cmds")));
        assert_eq!(edge("__stop___llvm_prf_data"), Some((Edge::Stop, "__llvm_prf_data")));
        for other in ["__start_", "__stop_.text", "__start_1", "_start", "start_cmds"] {
            assert_eq!(edge(other), None, "{other}");
        }
    }
}
