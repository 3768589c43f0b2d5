//! Passes that keep down register pressure, moves, and values computed several times.
//!
//! | pass | file |
//! |---|---|
//! | anchors: values are computed where the program computes them | `anchors.rs`, over `rematerialised.rs`, `long_blocks.rs`, `two_address.rs` |
//! | floats that are computed from loads are computed before the next access | `float_anchors.rs` |
//! | constants are made in front of loops | `loop_constants.rs` |
//! | arguments that loops use leave their registers | `loop_arguments.rs` |
//! | low halves of values that are needed whole too | `low_halves.rs` |
//! | the order in which the arguments of a back edge are computed | `argument_order.rs` |
//! | the order of the instructions of large blocks, behind Cranelift's optimiser | `scheduling/` |

pub(crate) mod anchors;
pub(crate) mod argument_order;
pub(crate) mod float_anchors;
mod long_blocks;
pub(crate) mod loop_arguments;
pub(crate) mod loop_constants;
pub(crate) mod low_halves;
mod rematerialised;
pub(crate) mod scheduling;
mod two_address;
