//! Passes over branches and edges.
//!
//! | pass | file |
//! |---|---|
//! | selects on a loop's critical path become branches | `select_to_branch.rs` |
//! | two branches to one target become one | `branch_merging.rs` |
//! | branches that an earlier one has decided become jumps | `implied_branches.rs` |
//! | branches on one bit become bit tests | `bit_tests.rs` |
//! | critical edges that pass values are split | `edge_splitting.rs` |

pub(crate) mod bit_tests;
pub(crate) mod branch_merging;
pub(crate) mod edge_splitting;
pub(crate) mod implied_branches;
pub(crate) mod select_to_branch;
