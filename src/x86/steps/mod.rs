//! The steps over machine code, each a change of the order or the encoding of its pieces.
//!
//! | step | file |
//! |---|---|
//! | jump-table indices are checked by a branch | `jump_table_bounds.rs` |
//! | loop rotation | `loop_rotation.rs` |
//! | block placement | `block_placement.rs` |
//! | prologues and epilogues without a frame pointer | `frame.rs`; behind early exits: `shrink_wrapping.rs` |
//! | short encodings | `short_encodings.rs` |
//! | loop alignment | `loop_alignment.rs` |

pub(crate) mod block_placement;
pub(crate) mod frame;
pub(crate) mod jump_table_bounds;
pub(crate) mod loop_alignment;
pub(crate) mod loop_rotation;
pub(crate) mod short_encodings;
pub(crate) mod shrink_wrapping;
