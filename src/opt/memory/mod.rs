//! Passes over memory accesses.
//!
//! | pass | file |
//! |---|---|
//! | load combining, byte swaps, redundant masks | `load_combining.rs`, over `byte_provenance.rs` |
//! | store merging | `store_merging.rs`, over `byte_provenance.rs` |
//! | copy merging | `copy_merging.rs`, over `copies.rs` |
//! | sequence points between accesses that Cranelift must not merge | `sequence_points.rs` |

pub(crate) mod byte_provenance;
mod copies;
pub(crate) mod copy_merging;
pub(crate) mod load_combining;
pub(crate) mod sequence_points;
pub(crate) mod store_merging;
