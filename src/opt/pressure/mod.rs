//! Passes that keep register pressure, moves and rematerialisation down.
//!
//! | pass | file |
//! |---|---|
//! | anchors: values are computed where the program computes them | `anchors.rs` |
//! | the order in which a back edge's arguments are computed | `argument_order.rs` |

pub(crate) mod anchors;
pub(crate) mod argument_order;
