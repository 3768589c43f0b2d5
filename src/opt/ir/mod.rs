//! What passes over CLIF share: analyses, and the shapes of instructions that they ask for.
//!
//! | question | file |
//! |---|---|
//! | predecessors, dominators, loops | `analyses.rs` |
//! | operands, addresses, what may come between two accesses | `memory_accesses.rs` |
//! | which block parameters a value goes on to | `phi_graph.rs` |
//! | which values Cranelift's optimiser could take for one | `value_numbers.rs` |
//! | 64-bit block parameters whose high half is 0 | `zero_high_half.rs` |
//! | values whose definition Cranelift's optimiser does not see | `opaque.rs` |

pub(crate) mod analyses;
pub(crate) mod memory_accesses;
pub(crate) mod opaque;
pub(crate) mod phi_graph;
pub(crate) mod value_numbers;
pub(crate) mod zero_high_half;
