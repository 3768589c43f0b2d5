//! What the check can find.

use crate::codegen::compiled::GivenUp;

/// What is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// Something differs: its offsets before and after, and what it is.
    Different(u32, u32, &'static str),
    /// The new code cannot be read.
    Unread(GivenUp),
    /// The frame is not what the unwind rows say, or what the code needs: at which offset, and what is wrong.
    Frame(u32, &'static str),
    /// It takes too long to find out.
    Effort,
}
