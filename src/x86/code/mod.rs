//! Machine code as the steps see it: read, changed, written.
//!
//! | | file |
//! |---|---|
//! | the fragments of a function: instructions, jump tables, constants | `fragments.rs`, found by their labels: `labels.rs` |
//! | the bytes of an instruction | `bytes.rs` |
//! | a decoded instruction | `instruction.rs` |
//! | bytes to instructions, and those to fragments | `decode.rs`, `integers.rs`, `operands.rs`; `read.rs` |
//! | what an instruction does to registers and flags | `effects.rs`; what calls and returns do: `abi.rs` |
//! | whether a register is read again | `dead_registers.rs` |
//! | spill slots, and what accesses them | `spill_slots.rs` |
//! | targets of branches | `targets.rs` |
//! | basic blocks, and how often control goes from one to another | `blocks.rs`; their predecessors: `predecessors.rs` |
//! | loops that are aligned | `alignment.rs` |
//! | where each fragment lies, and how long branches are (branch relaxation) | `relaxation.rs` |
//! | fragments to bytes, and all that refers to them | `write.rs` |

pub(crate) mod abi;
pub(crate) mod alignment;
pub(crate) mod blocks;
pub(crate) mod bytes;
pub(crate) mod dead_registers;
pub(crate) mod decode;
pub(crate) mod effects;
pub(crate) mod fragments;
mod instruction;
mod integers;
mod labels;
pub(super) mod measured;
mod operands;
mod predecessors;
pub(crate) mod read;
pub(crate) mod relaxation;
pub(crate) mod spill_slots;
pub(crate) mod targets;
pub(crate) mod write;
