//! If-conversion: branches around a few cheap instructions become selects, `x = condition ? a : b` without a jump.
//!
//! In: a graph, its promoted slots, and where edges lead. Out: for each block whose branch becomes selects, a [`Select`].
//!
//! BPF has no conditional move, so compilers write each `select` as a branch around moves, which is the most frequent reason
//! for a branch that processors cannot predict. The shapes:
//!
//! ```text
//! if c goto join          if c goto taken
//! arm                     arm; goto join
//! join:                   taken: arm
//!                         join:
//! ```
//!
//! Sound: an arm has only instructions without effects beyond a register or a promoted slot, and loads from the function's
//! own frame: they may be executed speculatively. What they write is selected by the condition.
//!
//! Compilers share the ends of several arms (`x = 4; goto join`): an arm may have other predecessors, and is lifted for each.
//! An arm may itself end in such a branch: `c ? a : d ? b : e`.
//!
//! It pays only for arms of at most [`MAX_ARM`] instructions, none of which takes more than a cycle.

use super::stack_promotion::PromotedSlots;
use crate::decode::insn::{AluOp, Insn, Reg, WideImm};
use crate::graph::{Block, BlockIndex, Edge, Graph, Instruction, RegSet, Terminator, written};

/// How many instructions an arm may have; an arm that ends in a branch which becomes selects may have as many more.
const MAX_ARM: usize = 3;

/// How many an arm with other predecessors may have: it is lifted for each.
const MAX_SHARED_ARM: usize = 1;

/// How many registers and slots the arms may write: one select each.
const MAX_WRITTEN: usize = 2;

/// A branch that becomes selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select {
    /// The block that runs when the condition holds, if there is one. It may itself end in a branch that becomes selects.
    pub taken: Option<BlockIndex>,
    /// The block that runs when it does not.
    pub fallthrough: Option<BlockIndex>,
    /// The block that both lead to.
    pub join: BlockIndex,
    /// The registers that they write.
    pub registers: RegSet,
    /// The promoted slots that they write, each once.
    pub slots: Vec<usize>,
    /// Whether an arm ends in a branch that becomes selects.
    is_nested: bool,
}

/// Finds the branches of a function that become selects; `targets` is where an edge to each block leads.
pub(crate) fn find(graph: &Graph, slots: &PromotedSlots, targets: &[BlockIndex]) -> Vec<Option<Select>> {
    let mut predecessors = vec![0usize; graph.blocks.len()];
    if let Some(entry) = targets.first() {
        predecessors[*entry] = 1;
    }
    for (index, block) in graph.blocks.iter().enumerate() {
        if targets[index] == index {
            block.terminator.successors().for_each(|successor| predecessors[targets[successor]] += 1);
        }
    }
    let selects = vec![None; graph.blocks.len()];
    let mut finder = SelectFinder { graph, slots, targets, predecessors, selects };
    // From the last block back: an arm that ends in selects comes later, and has been visited.
    for index in (0..graph.blocks.len()).rev() {
        finder.selects[index] = finder.select(&graph.blocks[index]);
    }
    finder.selects
}

struct SelectFinder<'a> {
    graph: &'a Graph,
    slots: &'a PromotedSlots,
    targets: &'a [BlockIndex],
    predecessors: Vec<usize>,
    selects: Vec<Option<Select>>,
}

impl SelectFinder<'_> {
    /// The selects that the branch of a block becomes.
    fn select(&self, block: &Block) -> Option<Select> {
        let last = self.graph.instructions_of(block).last()?;
        let (Insn::Branch { .. }, Terminator::Branch { taken, fallthrough }) = (last.insn, &block.terminator)
        else {
            return None;
        };
        let (Edge::Block(taken), Edge::Block(fallthrough)) = (*taken, *fallthrough) else { return None };
        let (taken, fallthrough) = (self.targets[taken], self.targets[fallthrough]);
        let (taken, fallthrough, join) = match (self.arm(taken), self.arm(fallthrough)) {
            (_, Some(join)) if join == taken => (None, Some(fallthrough), join),
            (Some(join), _) if join == fallthrough => (Some(taken), None, join),
            (Some(join), Some(other)) if join == other => (Some(taken), Some(fallthrough), join),
            _ => return None,
        };
        let mut select =
            Select { taken, fallthrough, join, registers: RegSet::EMPTY, slots: Vec::new(), is_nested: false };
        for arm in [taken, fallthrough].into_iter().flatten() {
            self.add(&mut select, arm);
            if let Some(inner) = &self.selects[arm] {
                select.is_nested = true;
                select.registers = select.registers.union(inner.registers);
                let new = inner.slots.iter().filter(|slot| !select.slots.contains(slot));
                let new: Vec<usize> = new.copied().collect();
                select.slots.extend(new);
            }
        }
        let registers = Reg::all().filter(|&reg| select.registers.contains(reg)).count();
        (registers + select.slots.len() <= MAX_WRITTEN).then_some(select)
    }

    /// Adds the registers and slots that an arm writes.
    fn add(&self, select: &mut Select, arm: BlockIndex) {
        for instruction in self.graph.instructions_of(&self.graph.blocks[arm]) {
            select.registers = select.registers.union(written(instruction.insn));
            if let (Insn::Store { .. }, Some(access)) = (instruction.insn, self.slots.access(instruction.offset))
                && !select.slots.contains(&access.slot)
            {
                select.slots.push(access.slot);
            }
        }
    }

    /// Where a block leads, if it can be an arm.
    fn arm(&self, index: BlockIndex) -> Option<BlockIndex> {
        let block = &self.graph.blocks[index];
        let mut instructions = self.graph.instructions_of(block);
        if let [rest @ .., last] = instructions
            && matches!(last.insn, Insn::Jump { .. } | Insn::Branch { .. })
        {
            instructions = rest;
        }
        let join = match (&block.terminator, &self.selects[index]) {
            (Terminator::Goto(Edge::Block(join)), _) => self.targets[*join],
            (Terminator::Branch { .. }, Some(inner)) if !inner.is_nested => inner.join,
            _ => return None,
        };
        let max = if self.predecessors[index] == 1 { MAX_ARM } else { MAX_SHARED_ARM };
        let is_arm = instructions.len() <= max && instructions.iter().all(|instruction| self.is_cheap(instruction));
        // A block that leads to itself is no arm.
        (is_arm && join != index).then_some(join)
    }

    /// Whether an instruction affects only a register or a promoted slot, and takes a cycle or is a load that cannot fault.
    fn is_cheap(&self, instruction: &Instruction) -> bool {
        match instruction.insn {
            Insn::Alu { op, .. } => !matches!(op, AluOp::Mul | AluOp::Div | AluOp::Mod | AluOp::SDiv | AluOp::SMod),
            Insn::Neg { .. } | Insn::MovSx { .. } => true,
            Insn::LoadImm { value: WideImm::Const(_), .. } => instruction.target.is_none(),
            // The frame is always mapped.
            Insn::Load { base: Reg::FRAME, offset, .. } if offset < 0 => true,
            Insn::Load { .. } | Insn::Store { .. } => self.slots.access(instruction.offset).is_some(),
            _ => false,
        }
    }
}
