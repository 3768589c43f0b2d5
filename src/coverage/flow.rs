//! Where control goes from a block, as it is counted.
//!
//! In: a graph's blocks. Out: their outcomes, and whether control may stop in them.

use crate::decode::insn::Insn;
use crate::graph::{Edge, Instruction, Terminator};

/// The edges out of a block that differ in what they count.
pub(super) fn outcomes(terminator: &Terminator) -> Vec<Edge> {
    match terminator {
        Terminator::Goto(edge) => vec![*edge],
        Terminator::Branch { taken, fallthrough } => vec![*taken, *fallthrough],
        Terminator::Register(jump) => jump.outcomes(),
        Terminator::Return => Vec::new(),
    }
}

/// Whether control may come to the first of these instructions and not to what follows the last.
pub(super) fn may_stop(instructions: &[Instruction]) -> bool {
    instructions.iter().any(|instruction| matches!(instruction.insn, Insn::Call(_) | Insn::LoadPacket { .. }))
}
