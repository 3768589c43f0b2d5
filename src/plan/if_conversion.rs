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
//! It is sound because an arm has nothing but instructions without an effect beyond a register or a promoted slot, and loads
//! from the function's own frame: they may run where they would not have. What they write is chosen by the condition.
//!
//! Compilers put the ends of several arms into one block (`x = 4; goto join`): an arm may have other predecessors, and is
//! lifted for each. An arm may end in such a branch itself: `c ? a : d ? b : e`.
//!
//! It pays only for arms of at most [`MOST`] instructions, none of which takes more than a cycle.

use super::stack_promotion::Slots;
use crate::decode::insn::{AluOp, Insn, Reg, WideImm};
use crate::graph::{Block, BlockIndex, Edge, Graph, Instruction, RegSet, Terminator, written};

/// How many instructions an arm may have; an arm that ends in a selection may have as many more.
const MOST: usize = 3;

/// How many an arm may have that other edges lead to as well: it is lifted for each.
const MOST_SHARED: usize = 1;

/// How many registers and slots the arms may write.
const MOST_WRITTEN: usize = 2;

/// A branch that becomes a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select {
    /// The block that runs when the condition holds, if there is one. It may end in a selection itself.
    pub taken: Option<BlockIndex>,
    /// The block that runs when it does not.
    pub fallthrough: Option<BlockIndex>,
    /// Where both lead.
    pub join: BlockIndex,
    /// The registers that they write.
    pub registers: RegSet,
    /// The promoted slots that they write, each once.
    pub slots: Vec<usize>,
    /// Whether an arm ends in a selection.
    is_nested: bool,
}

/// Finds the selections of a function; `targets` is where an edge to each block leads.
pub(crate) fn find(graph: &Graph, slots: &Slots, targets: &[BlockIndex]) -> Vec<Option<Select>> {
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
    let mut finder = Finder { graph, slots, targets, predecessors, selects };
    // From the last one back: an arm that ends in a selection comes later, and is known.
    for index in (0..graph.blocks.len()).rev() {
        finder.selects[index] = finder.select(&graph.blocks[index]);
    }
    finder.selects
}

struct Finder<'a> {
    graph: &'a Graph,
    slots: &'a Slots,
    targets: &'a [BlockIndex],
    predecessors: Vec<usize>,
    selects: Vec<Option<Select>>,
}

impl Finder<'_> {
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
        (registers + select.slots.len() <= MOST_WRITTEN).then_some(select)
    }

    /// Adds what an arm writes.
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

    /// Where a block leads that can be an arm.
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
        let most = if self.predecessors[index] == 1 { MOST } else { MOST_SHARED };
        let is_arm =
            instructions.len() <= most && instructions.iter().all(|instruction| self.is_cheap(instruction));
        // A block that leads to itself joins nothing.
        (is_arm && join != index).then_some(join)
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
