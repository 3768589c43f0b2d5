//! The steps over machine code: each changes the order, the instructions or the frame of a function's fragments.
//!
//! | step | file |
//! |---|---|
//! | spills and reloads that are not needed | `spills/` |
//! | conditions as numbers | `cleared_conditions.rs` |
//! | jump-table bounds checks by a branch | `jump_table_bounds.rs` |
//! | loop rotation | `loop_rotation.rs` |
//! | block placement | `block_placement.rs` |
//! | prologues and epilogues without a frame pointer, shrink wrapping | `frame/` |
//! | short encodings of one instruction | `short_encodings.rs` |
//! | loop alignment | `loop_alignment.rs` |

pub(crate) mod block_placement;
pub(crate) mod cleared_conditions;
pub(crate) mod frame;
pub(crate) mod jump_table_bounds;
pub(crate) mod loop_alignment;
pub(crate) mod loop_rotation;
pub(crate) mod short_encodings;
pub(crate) mod spills;
