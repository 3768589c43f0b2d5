//! Passes over branches and edges.
//!
//! | pass | file |
//! |---|---|
//! | selects that a loop waits for become branches | `select_to_branch.rs` |
//! | two branches to one target become one | `branch_merging.rs` |
//! | critical edges that pass values get a block | `edge_splitting.rs` |

pub(crate) mod branch_merging;
pub(crate) mod edge_splitting;
pub(crate) mod select_to_branch;
