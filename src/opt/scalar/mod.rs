//! Passes over scalar values.
//!
//! | pass | file |
//! |---|---|
//! | redundant block parameters | `redundant_parameters.rs` |
//! | rotates by a variable amount | `rotates.rs` |

pub(crate) mod redundant_parameters;
pub(crate) mod rotates;
