//! Branches around a few cheap instructions that become selections: `x = condition ? a : b` without a jump.
//!
//! In: a graph, its promoted slots, and where edges lead. Out: for each block whose branch becomes a selection, a [`Select`].
//!
//! BPF has no conditional move, so compilers write each `select` of theirs as a branch around moves, and it is the
//! most frequent reason for a branch that processors cannot predict. The shapes:
//!
//! ```text
//! if c goto join          if c goto taken
//! arm                     arm; goto join
//! join:                   taken: arm
//!                         join:
//! ```
//!
//! It is sound because an arm has no other predecessor and nothing but instructions without an effect beyond a register
//! or a promoted slot, and loads from the function's own frame: they may run where they would not have. What they write is chosen by the condition.
//!
//! It pays only for arms of at most [`MOST`] instructions, none of which takes more than a cycle.

use super::slots::Slots;
use crate::decode::insn::{AluOp, Insn, Reg, WideImm};
use crate::graph::{Block, BlockIndex, Edge, Graph, Instruction, RegSet, Terminator, written};

/// How many instructions an arm may have.
const MOST: usize = 3;

/// How many registers and slots the arms may write.
const MOST_WRITTEN: usize = 2;

/// A branch that becomes a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select {
    /// The block that runs when the condition holds, if there is one.
    pub taken: Option<BlockIndex>,
    /// The block that runs when it does not.
    pub fallthrough: Option<BlockIndex>,
    /// Where both lead.
    pub join: BlockIndex,
    /// The registers that they write.
    pub registers: RegSet,
    /// The promoted slots that they write, each once.
    pub slots: Vec<usize>,
}

/// Finds the selections of a function; `targets` is where an edge to each block leads.
pub(super) fn find(graph: &Graph, slots: &Slots, targets: &[BlockIndex]) -> Vec<Option<Select>> {
    let mut predecessors = vec![0usize; graph.blocks.len()];
    if let Some(entry) = predecessors.first_mut() {
        *entry = 1;
    }
    for successor in graph.blocks.iter().flat_map(|block| block.terminator.successors()) {
        predecessors[successor] += 1;
    }
    let finder = Finder { graph, slots, targets, predecessors };
    graph.blocks.iter().map(|block| finder.select(block)).collect()
}

struct Finder<'a> {
    graph: &'a Graph,
    slots: &'a Slots,
    targets: &'a [BlockIndex],
    predecessors: Vec<usize>,
}

impl Finder<'_> {
    fn select(&self, block: &Block) -> Option<Select> {
        let last = self.graph.instructions_of(block).last()?;
        let (Insn::Branch { .. }, Terminator::Branch { taken, fallthrough }) = (last.insn, &block.terminator)
        else {
            return None;
        };
        let (Edge::Block(taken), Edge::Block(fallthrough)) = (*taken, *fallthrough) else { return None };
        let (taken_arm, fallthrough_arm) = (self.arm(taken), self.arm(fallthrough));
        let (to_taken, to_fallthrough) = (self.targets[taken], self.targets[fallthrough]);
        let (taken, fallthrough, join) = match (taken_arm, fallthrough_arm) {
            (_, Some(join)) if join == to_taken => (None, Some(fallthrough), join),
            (Some(join), _) if join == to_fallthrough => (Some(taken), None, join),
            (Some(join), Some(other)) if join == other => (Some(taken), Some(fallthrough), join),
            _ => return None,
        };
        let mut select = Select { taken, fallthrough, join, registers: RegSet::EMPTY, slots: Vec::new() };
        for arm in [taken, fallthrough].into_iter().flatten() {
            for instruction in self.graph.instructions_of(&self.graph.blocks[arm]) {
                select.registers = select.registers.union(written(instruction.insn));
                if let (Insn::Store { .. }, Some(access)) =
                    (instruction.insn, self.slots.access(instruction.offset))
                    && !select.slots.contains(&access.slot)
                {
                    select.slots.push(access.slot);
                }
            }
        }
        let registers = Reg::all().filter(|&reg| select.registers.contains(reg)).count();
        (registers + select.slots.len() <= MOST_WRITTEN).then_some(select)
    }

    /// Where a block leads that can be an arm.
    fn arm(&self, index: BlockIndex) -> Option<BlockIndex> {
        let block = &self.graph.blocks[index];
        let Terminator::Goto(Edge::Block(join)) = block.terminator else { return None };
        let mut instructions = self.graph.instructions_of(block);
        if let [rest @ .., last] = instructions
            && matches!(last.insn, Insn::Jump { .. })
        {
            instructions = rest;
        }
        let is_arm = self.predecessors[index] == 1
            && instructions.len() <= MOST
            && instructions.iter().all(|instruction| self.is_cheap(instruction));
        // A block that leads to itself joins nothing.
        (is_arm && self.targets[join] != index).then_some(self.targets[join])
    }

    /// Whether an instruction has no effect but on a register or a promoted slot, and takes a cycle or is a load that
    /// does not fault.
    fn is_cheap(&self, instruction: &Instruction) -> bool {
        match instruction.insn {
            Insn::Alu { op, .. } => !matches!(op, AluOp::Mul | AluOp::Div | AluOp::Mod | AluOp::SDiv | AluOp::SMod),
            Insn::Neg { .. } | Insn::MovSx { .. } => true,
            Insn::LoadImm { value: WideImm::Const(_), .. } => instruction.target.is_none(),
            // The frame is there, whatever it holds.
            Insn::Load { base: Reg::FRAME, offset, .. } if offset < 0 => true,
            Insn::Load { .. } | Insn::Store { .. } => self.slots.access(instruction.offset).is_some(),
            _ => false,
        }
    }
}
