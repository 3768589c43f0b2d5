//! Passes over memory accesses.
//!
//! | pass | file |
//! |---|---|
//! | load combining, byte swaps, redundant masks | `load_combining.rs`, over `byte_provenance.rs` |
//! | store merging | `store_merging.rs`, over `byte_provenance.rs` |
//! | sequence points between accesses that Cranelift must not merge | `sequence_points.rs` |

pub(crate) mod byte_provenance;
pub(crate) mod load_combining;
pub(crate) mod sequence_points;
pub(crate) mod store_merging;
