//! What is odd about a program and does not stop its translation.
//!
//! Owns [`Warning`]: a kind, by which a caller may choose, and a text that says what is wrong where, and what to do.

use std::fmt;

/// Something odd about a program, or about how it is translated, that does not stop it. It is shown as one line.
///
/// ```
/// use bpf2native::WarningKind;
/// use bpf2native::emit::{self, Purpose};
/// use bpf2native::{Config, Program};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // mov r0, 1; exit: without lines.
/// let program = Program::from_instructions("raw", &[0xb7, 0, 0, 0, 1, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0])?;
/// let mut config = Config::for_target("x86_64".parse()?);
/// let object = emit::object(&program, config.debug(true), Purpose::Relocatable, "raw.o")?;
/// assert_eq!(object.warnings[0].kind(), WarningKind::Lines);
/// let text = object.warnings[0].to_string();
/// assert_eq!(text, "there are no source lines to keep: compile the objects with -g");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Warning {
    kind: WarningKind,
    text: String,
}

/// What a [`Warning`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WarningKind {
    /// Types that are not known, or that objects and libc do not agree on; relocations that follow types.
    Types,
    /// Functions that native code cannot call, or values that do not arrive as they were sent.
    Calls,
    /// Control that leaves a function, and traps.
    Control,
    /// Instructions that no verifier would take, and that trap.
    Refused,
    /// Source lines that are not there.
    Lines,
    /// A name that is registered and not used.
    Registered,
    /// A cache that is not used.
    Cache,
    /// A profile, or a part of one, that is not used.
    Profile,
}

impl Warning {
    pub(crate) fn new(kind: WarningKind, text: impl Into<String>) -> Warning {
        Warning { kind, text: text.into() }
    }

    /// What it is about.
    pub fn kind(&self) -> WarningKind {
        self.kind
    }

    /// What is wrong, as it is shown.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
