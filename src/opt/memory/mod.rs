//! Passes over accesses of memory.
//!
//! | pass | file |
//! |---|---|
//! | load combining, byte swaps, masks | `load_combining.rs`, over `byte_provenance.rs` |
//! | store merging | `store_merging.rs`, over `byte_provenance.rs` |
//! | accesses that Cranelift may not merge are kept apart | `sequence_points.rs` |

pub(crate) mod byte_provenance;
pub(crate) mod load_combining;
pub(crate) mod sequence_points;
pub(crate) mod store_merging;
