//! Analyses of CLIF, and questions about instructions that several passes ask. Nothing here imports a pass.
//!
//! | question | file |
//! |---|---|
//! | all instructions of a function | `insts.rs` |
//! | constants and operands; replacing an instruction | `operands.rs` |
//! | purity, latency | `effects.rs` |
//! | use counts; values whose uses lie on separate paths | `uses.rs` |
//! | successors, block arguments, layout order; retargeting an edge | `edges.rs` |
//! | predecessors, dominators, loops: Cranelift's, cached | `analyses.rs` |
//! | innermost loops of one back edge and one exit, in the form that loop passes transform | `loop_discovery.rs` |
//! | plain loads and stores, their addresses | `memory_accesses.rs` |
//! | what an integer instruction computes for given operands | `evaluate.rs` |
//! | removing what is not used | `dead_code.rs` |
//! | which block parameters are passed to which | `phi_graph.rs` |
//! | block parameters that are always one value | `parameter_values.rs` |
//! | 64-bit block parameters that are always zero-extended, from how many bytes | `zero_extension.rs` |
//! | a list of values for each of some values | `value_lists.rs` |
//! | which values Cranelift's optimiser could take for one | `value_numbers.rs` |
//! | copies that Cranelift's optimiser does not look through | `opaque.rs` |

pub(crate) mod analyses;
pub(crate) mod dead_code;
pub(crate) mod edges;
pub(crate) mod effects;
pub(crate) mod evaluate;
pub(crate) mod insts;
pub(crate) mod loop_discovery;
pub(crate) mod memory_accesses;
pub(crate) mod opaque;
pub(crate) mod operands;
pub(crate) mod parameter_values;
pub(crate) mod phi_graph;
pub(crate) mod uses;
pub(crate) mod value_lists;
pub(crate) mod value_numbers;
pub(crate) mod zero_extension;
