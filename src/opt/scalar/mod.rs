//! Passes over scalar values.
//!
//! | pass | file |
//! |---|---|
//! | absolute values | `absolute_values.rs` |
//! | `\|` of numbers without common bits | `disjoint_or.rs` |
//! | masks of bits that nobody looks at | `demanded_bits.rs` |
//! | comparisons of 8 and 16 bits | `narrow_comparisons.rs` |
//! | block parameters and selects of which only the low half is used | `narrow_values.rs` |
//! | redundant block parameters | `redundant_parameters.rs` |
//! | rotates by a variable amount | `rotates.rs` |

pub(crate) mod absolute_values;
pub(crate) mod demanded_bits;
pub(crate) mod disjoint_or;
pub(crate) mod narrow_comparisons;
pub(crate) mod narrow_values;
pub(crate) mod redundant_parameters;
pub(crate) mod rotates;
