//! Basic blocks: where they start, how they end, and which of them control can reach.
//!
//! In: resolved instructions. Out: the reachable blocks in code order. A block starts at the entry, at the target
//! of a jump, and after a jump. Blocks without instructions come last: several jumps through registers lead to each, and
//! the labels are its successors.

use super::error::GraphError;
use super::labels::{self, Jumps, LabelIndex, LabelSet};
use super::model::{Block, BlockIndex, Edge, Instruction, JumpTarget, RegisterJump, Terminator};
use crate::decode::SLOT;
use crate::decode::insn::Insn;
use crate::program::{FunctionId, Program};

/// How many edges the jumps through registers to one set of labels may have before they share blocks.
const MOST_EDGES: usize = 1024;

/// Finds the blocks of a function, and whether it adds something to labels.
pub(super) fn find(
    program: &Program,
    labels: &LabelIndex,
    function: FunctionId,
    instructions: &[Instruction],
) -> Result<(Vec<Block>, bool), GraphError> {
    let finder = BlockFinder { program, function, instructions };
    let jumps = labels::register_jumps(program, labels, function, instructions)?;

    let mut is_leader = vec![false; instructions.len()];
    if let Some(entry) = is_leader.first_mut() {
        *entry = true;
    }
    for (index, instruction) in instructions.iter().enumerate() {
        if let Some(distance) = instruction.insn.jump_offset()
            && let Some(target) = finder.jump(instruction, distance)?
        {
            is_leader[target] = true;
        }
        let ends_block = instruction.insn.is_terminator() || instruction.insn.jump_offset().is_some();
        if ends_block && index + 1 < is_leader.len() {
            is_leader[index + 1] = true;
        }
    }
    for (index, set) in first_jumps(&jumps) {
        for &offset in &set.labels {
            if let Some(target) = finder.at(&instructions[index], offset as i64)? {
                is_leader[target] = true;
            }
        }
    }

    let starts: Vec<usize> = (0..instructions.len()).filter(|&index| is_leader[index]).collect();
    let mut block_of_leader = vec![None; instructions.len()];
    for (block, &start) in starts.iter().enumerate() {
        block_of_leader[start] = Some(block);
    }
    let edge = |target: Option<usize>| match target.and_then(|index| block_of_leader.get(index).copied().flatten())
    {
        Some(block) => Edge::Block(block),
        None => Edge::Outside,
    };
    let mut dispatches = Dispatches::new(&jumps, starts.len(), program.functions[function].start);
    let mut blocks = Vec::with_capacity(starts.len());
    for (block, &start) in starts.iter().enumerate() {
        let end = starts.get(block + 1).copied().unwrap_or(instructions.len());
        let last = &instructions[end - 1];
        let terminator = match last.insn {
            Insn::Exit => Terminator::Return,
            Insn::Jump { offset, .. } => Terminator::Goto(edge(finder.jump(last, offset)?)),
            Insn::Branch { offset, .. } | Insn::MayGoto { offset } => Terminator::Branch {
                taken: edge(finder.jump(last, i32::from(offset))?),
                fallthrough: edge(Some(end)),
            },
            Insn::JumpRegister { .. } => dispatches.next(|offset| Ok(edge(finder.at(last, offset as i64)?)))?,
            _ => Terminator::Goto(edge(Some(end))),
        };
        blocks.push(Block { start, end, terminator });
    }
    let end = instructions.len();
    blocks.extend(dispatches.shared.into_iter().map(|jump| Block { start: end, end, terminator: jump }));
    Ok((keep_reachable(blocks), jumps.adds_to_labels))
}

/// For each set of labels, the first jump to it: sets are numbered in the order in which they come up.
fn first_jumps(jumps: &Jumps) -> impl Iterator<Item = (usize, &LabelSet)> {
    let mut next = 0;
    jumps.jumps.iter().filter_map(move |&(position, set)| {
        let is_first = set == next;
        next += usize::from(is_first);
        is_first.then(|| (position, &jumps.sets[set]))
    })
}

/// Divides jumps through registers among blocks with the edges.
///
/// A block for each jump lets the processor foresee each by itself, which makes small interpreters faster. But each has an
/// edge to each label, for which a code generator passes on what is live; so where there would be too many edges,
/// neighbouring jumps share a block.
struct Dispatches<'a> {
    jumps: &'a Jumps,
    /// The byte offset of the function's first instruction.
    start: u64,
    /// How many jumps were asked for.
    seen: usize,
    /// The index that the first shared block will have.
    first: usize,
    /// Blocks that several jumps lead to.
    shared: Vec<Terminator>,
    /// For each set of labels: how many jumps share a block, how many of the last one's are left, and its index.
    groups: Vec<(usize, usize, BlockIndex)>,
}

impl<'a> Dispatches<'a> {
    fn new(jumps: &'a Jumps, first: usize, start: u64) -> Self {
        let mut counts = vec![0; jumps.sets.len()];
        jumps.jumps.iter().for_each(|&(_, set)| counts[set] += 1);
        let size = |(set, count): (&LabelSet, usize)| {
            let blocks = (MOST_EDGES / set.labels.len().max(1)).clamp(1, count.max(1));
            (count.div_ceil(blocks), 0, 0)
        };
        let groups = jumps.sets.iter().zip(counts).map(size).collect();
        Dispatches { jumps, start, seen: 0, first, shared: Vec::new(), groups }
    }

    /// The end of the block with the next jump.
    fn next(&mut self, edge: impl Fn(u64) -> Result<Edge, GraphError>) -> Result<Terminator, GraphError> {
        let (_, set) = self.jumps.jumps[self.seen];
        self.seen += 1;
        let (size, left, block) = &mut self.groups[set];
        if *left > 0 {
            *left -= 1;
            return Ok(Terminator::Goto(Edge::Block(*block)));
        }
        let LabelSet { relative_to, labels, has_address } = &self.jumps.sets[set];
        let labels = labels.iter().map(|&value| (value, false)).chain(has_address.then_some((self.start, true)));
        let targets = labels.map(|(value, is_address)| Ok(JumpTarget { value, edge: edge(value)?, is_address }));
        let targets = targets.collect::<Result<_, GraphError>>()?;
        let is_shared = *size > 1;
        let jump = Terminator::Register(RegisterJump { relative_to: *relative_to, targets, is_shared });
        if !is_shared {
            return Ok(jump);
        }
        *left = *size - 1;
        *block = self.first + self.shared.len();
        self.shared.push(jump);
        Ok(Terminator::Goto(Edge::Block(*block)))
    }
}

struct BlockFinder<'a> {
    program: &'a Program,
    function: FunctionId,
    instructions: &'a [Instruction],
}

impl BlockFinder<'_> {
    /// The instruction that a jump of `distance` slots leads to; none outside the function.
    fn jump(&self, from: &Instruction, distance: i32) -> Result<Option<usize>, GraphError> {
        let next = from.offset as i64 + SLOT as i64;
        self.at(from, next + SLOT as i64 * i64::from(distance))
    }

    /// The instruction at byte `to` of the section; none outside the function.
    fn at(&self, from: &Instruction, to: i64) -> Result<Option<usize>, GraphError> {
        let of = &self.program.functions[self.function];
        let Some(to_offset) = u64::try_from(to).ok().filter(|to| (of.start..of.end).contains(to)) else {
            return Ok(None);
        };
        match self.instructions.binary_search_by_key(&to_offset, |instruction| instruction.offset) {
            Ok(index) => Ok(Some(index)),
            Err(_) => {
                let place = self.program.place(of.section, Some(self.function), from.offset);
                Err(GraphError::MidInstruction { place, insn: from.insn.to_string(), to })
            }
        }
    }
}

/// Drops the blocks that control cannot reach from the first one, and numbers the others anew.
fn keep_reachable(blocks: Vec<Block>) -> Vec<Block> {
    let mut reached = vec![false; blocks.len()];
    let mut pending: Vec<BlockIndex> = Vec::new();
    if !blocks.is_empty() {
        reached[0] = true;
        pending.push(0);
    }
    while let Some(block) = pending.pop() {
        for successor in blocks[block].terminator.successors() {
            if !std::mem::replace(&mut reached[successor], true) {
                pending.push(successor);
            }
        }
    }
    let mut renumbered = vec![0; blocks.len()];
    let kept = reached.iter().enumerate().filter(|(_, reached)| **reached);
    for (number, (block, _)) in kept.enumerate() {
        renumbered[block] = number;
    }
    let renumber = |edge: &mut Edge| {
        if let Edge::Block(block) = edge {
            *block = renumbered[*block];
        }
    };
    let mut kept: Vec<Block> =
        blocks.into_iter().zip(&reached).filter_map(|(block, reached)| reached.then_some(block)).collect();
    for block in &mut kept {
        match &mut block.terminator {
            Terminator::Goto(edge) => renumber(edge),
            Terminator::Branch { taken, fallthrough } => {
                renumber(taken);
                renumber(fallthrough);
            }
            Terminator::Register(jump) => jump.targets.iter_mut().for_each(|target| renumber(&mut target.edge)),
            Terminator::Return => {}
        }
    }
    kept
}
