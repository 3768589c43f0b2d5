//! Passes over scalar values.
//!
//! | pass | file |
//! |---|---|
//! | redundant block parameters | `redundant_parameters.rs` |
//! | rotates by a variable amount | `rotates.rs` |
//! | population counts, leading and trailing zeros | `bit_counts.rs` |

pub(crate) mod bit_counts;
pub(crate) mod redundant_parameters;
pub(crate) mod rotates;
