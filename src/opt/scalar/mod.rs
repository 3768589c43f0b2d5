//! Passes over single values.
//!
//! | pass | file |
//! |---|---|
//! | block parameters that are always one value | `redundant_parameters.rs` |
//! | rotates by an amount that is not constant | `rotates.rs` |
//! | population counts, leading and trailing zeros | `bit_counts.rs` |

pub(crate) mod bit_counts;
pub(crate) mod redundant_parameters;
pub(crate) mod rotates;
