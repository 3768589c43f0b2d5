//! Machine code as steps see it: read, changed, written.
//!
//! | | file |
//! |---|---|
//! | the pieces of a function, and their names | `pieces.rs` |
//! | bytes to pieces | `read.rs` |
//! | what an instruction does to registers and flags | `effects.rs` |
//! | targets of branches | `targets.rs` |
//! | basic blocks, and how often control goes from one to another | `blocks.rs` |
//! | where each piece lies, and how long branches are (branch relaxation) | `relaxation.rs` |
//! | pieces to bytes, and all that refers to them | `write.rs` |

pub(crate) mod blocks;
pub(crate) mod effects;
pub(crate) mod pieces;
pub(crate) mod read;
pub(crate) mod relaxation;
pub(crate) mod targets;
pub(crate) mod write;
