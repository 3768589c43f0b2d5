//! The code of a function: words, instructions, blocks.

pub(crate) mod blocks;
pub(crate) mod decode;
pub(crate) mod fields;
pub(crate) mod instruction;
pub(crate) mod listing;
pub(crate) mod read;
pub(crate) mod registers;
pub(crate) mod write;
