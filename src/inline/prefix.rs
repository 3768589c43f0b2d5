//! Early exits: the start of a function that does nothing but look at its parameters and return, or go on.
//!
//! In: a graph. Out: [`Prefix`]: the blocks from the entry that end in a return after a few instructions without effect,
//! and those on the way to them. A caller that runs these blocks itself makes the call only where they lead elsewhere;
//! then the function starts again from its entry, with the same parameters.
//!
//! That is sound since these blocks do nothing but arithmetic: no memory is read or written, nothing is called, and no
//! instruction may trap. There is no loop among them: edges lead forward.

use crate::decode::insn::{AluOp, Insn, Operand, Reg, WideImm};
use crate::graph::{Edge, Graph, Terminator};

/// The most instructions of a prefix: what each call site gets more.
const INSTRUCTIONS: usize = 16;

/// The most blocks.
const BLOCKS: usize = 5;

/// Blocks that a caller may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// In code order; the entry is the first.
    blocks: Vec<usize>,
}

impl Prefix {
    /// The early exits of a function; none if it has none, or is nothing else.
    pub fn find(graph: &Graph) -> Option<Prefix> {
        let mut seen = vec![0];
        let (mut next, mut instructions) = (0, 0);
        let mut pure: Vec<usize> = Vec::new();
        while let Some(&block) = seen.get(next) {
            next += 1;
            let body = graph.instructions_of(graph.blocks.get(block)?);
            if pure.len() == BLOCKS || instructions + body.len() > INSTRUCTIONS {
                continue;
            }
            if !body.iter().all(|instruction| is_pure(instruction.insn) && instruction.target.is_none()) {
                continue;
            }
            pure.push(block);
            instructions += body.len();
            // A jump through a register is not pure, so there are two at most.
            for successor in graph.blocks[block].terminator.successors() {
                if successor > block && !seen.contains(&successor) {
                    seen.push(successor);
                }
            }
        }
        pure.sort_unstable();
        // From the last one back: edges lead forward.
        let mut blocks: Vec<usize> = Vec::new();
        for &block in pure.iter().rev() {
            let terminator = &graph.blocks[block].terminator;
            if matches!(terminator, Terminator::Return)
                || terminator.successors().any(|successor| successor > block && blocks.contains(&successor))
            {
                blocks.push(block);
            }
        }
        blocks.reverse();
        let prefix = Prefix { blocks };
        let has_rest = prefix.blocks.iter().any(|&block| match graph.blocks[block].terminator {
            Terminator::Branch { taken, fallthrough } => {
                ![taken, fallthrough].iter().all(|&edge| prefix.keeps(block, edge))
            }
            _ => false,
        });
        (prefix.blocks.first() == Some(&0) && has_rest).then_some(prefix)
    }

    /// Its blocks, in code order; the entry is the first.
    pub fn blocks(&self) -> &[usize] {
        &self.blocks
    }

    /// Whether an edge from `block` stays in it.
    pub fn keeps(&self, block: usize, edge: Edge) -> bool {
        matches!(edge, Edge::Block(to) if to > block && self.blocks.contains(&to))
    }
}

/// Whether an instruction has no effect but on r0 to r9, which it computes of them and of numbers without a trap.
fn is_pure(insn: Insn) -> bool {
    let is_general = |operand: Operand| operand != Operand::Reg(Reg::FRAME);
    match insn {
        // A division makes blocks of its own.
        Insn::Alu { op: AluOp::Div | AluOp::Mod | AluOp::SDiv | AluOp::SMod, .. } => false,
        Insn::Alu { src, .. } => is_general(src),
        Insn::MovSx { src, .. } | Insn::AddrSpaceCast { src, .. } => src != Reg::FRAME,
        Insn::Branch { dst, src, .. } => dst != Reg::FRAME && is_general(src),
        Insn::LoadImm { value, .. } => matches!(value, WideImm::Const(_)),
        Insn::Neg { .. } | Insn::Endian { .. } | Insn::Jump { .. } | Insn::Exit => true,
        _ => false,
    }
}
