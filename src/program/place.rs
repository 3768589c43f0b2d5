//! Where in the input an error is.
//!
//! In: names and offsets. Out: text, for all phases' errors.

use std::fmt;

/// Where in the input an error is: as much as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The object.
    pub file: String,
    /// The section.
    pub section: String,
    /// The function.
    pub function: Option<String>,
    /// Byte offset of the instruction (or of the data) in the section.
    pub offset: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: section `{}`", self.file, self.section)?;
        if let Some(offset) = self.offset {
            write!(f, " at {offset:#x}")?;
        }
        if let Some(function) = &self.function {
            write!(f, ", function `{function}`")?;
        }
        Ok(())
    }
}
