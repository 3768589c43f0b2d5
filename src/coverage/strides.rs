//! Registers that say how often a block of a loop ran, so that nothing has to be counted in the loop.
//!
//! In: a loop without calls. Out: for blocks of it, a [`Stride`]: a register that changes in this block alone, by the same amount each
//! time that the block runs. Between where control enters the loop and where it leaves, the register has changed by as many times
//! that amount as the block ran, whatever else the loop does.
//!
//! | what the block does to it | |
//! |---|---|
//! | 64 bits: additions of constants, also by way of copies; a power of two in all | the change, divided by that |
//! | 32 bits: an addition of 1 or -1, where each round of the loop compares the register with what does not change | the change, modulo 2^32 |
//!
//! Sound: 64 bits do not wrap in the time that a program runs. A 32-bit register that moves by one comes to each number within 2^32
//! rounds, and so the comparison ends the loop before it comes to the first one again. A comparison after the addition may end it
//! just there, after 2^32 rounds: where it is the only way out, the number of rounds is at least 1, and so the change less 1 is
//! below 2^32 ([`Stride::least`]).

use std::collections::{BTreeMap, BTreeSet};

use crate::decode::insn::{AluOp, Cond, Insn, Operand, Reg, Width};
use crate::graph::{Block, BlockIndex, Edge, Graph, RegSet, Terminator, written};
use crate::program::counters::Stride;

/// Finds strides of a loop that control enters by `header`; of several registers of a block, the first one that changes by the
/// least.
pub(super) fn find(
    graph: &Graph,
    blocks: &BTreeSet<BlockIndex>,
    header: BlockIndex,
) -> BTreeMap<BlockIndex, Stride> {
    let write = |block: BlockIndex| {
        let instructions = graph.instructions_of(&graph.blocks[block]);
        instructions.iter().fold(RegSet::EMPTY, |all, instruction| all.union(written(instruction.insn)))
    };
    let writes: BTreeMap<BlockIndex, RegSet> = blocks.iter().map(|&block| (block, write(block))).collect();
    let changed = writes.values().fold(RegSet::EMPTY, |all, &written| all.union(written));
    let mut strides: BTreeMap<BlockIndex, Stride> = BTreeMap::new();
    for register in Reg::all().filter(|&register| changed.contains(register)) {
        let mut writing = writes.iter().filter(|(_, written)| written.contains(register)).map(|(&block, _)| block);
        let (Some(block), None) = (writing.next(), writing.next()) else { continue };
        let found =
            wide(graph, block, register).or_else(|| narrow(graph, (blocks, header), changed, block, register));
        let is_better = |old: &Stride, new: &Stride| new.by.unsigned_abs() < old.by.unsigned_abs();
        if let Some(stride) = found.filter(|new| strides.get(&block).is_none_or(|old| is_better(old, new))) {
            strides.insert(block, stride);
        }
    }
    strides
}

/// The stride of a whole register that only this block writes.
fn wide(graph: &Graph, block: BlockIndex, register: Reg) -> Option<Stride> {
    // Each register as what another one was where the block starts, and a sum.
    let mut values: Vec<Option<(Reg, i64)>> = Reg::all().map(|register| Some((register, 0))).collect();
    for instruction in graph.instructions_of(&graph.blocks[block]) {
        let value = match instruction.insn {
            Insn::Alu { op: AluOp::Add, width: Width::W64, dst, src: Operand::Imm(by) } => {
                values[dst.index()].map(|(root, sum)| (root, sum.wrapping_add(by.into())))
            }
            Insn::Alu { op: AluOp::Mov, width: Width::W64, src: Operand::Reg(src), .. } => values[src.index()],
            _ => None,
        };
        let written = written(instruction.insn);
        Reg::all().filter(|&reg| written.contains(reg)).for_each(|reg| values[reg.index()] = value);
    }
    let (_, by) = values[register.index()].filter(|&(root, _)| root == register)?;
    let register = register.number();
    by.unsigned_abs().is_power_of_two().then_some(Stride { register, by, is_narrow: false, least: 0 })
}

/// The stride of the low half of a register that only this block writes.
fn narrow(
    graph: &Graph,
    (blocks, header): (&BTreeSet<BlockIndex>, BlockIndex),
    changed: RegSet,
    block: BlockIndex,
    register: Reg,
) -> Option<Stride> {
    let instructions = graph.instructions_of(&graph.blocks[block]).iter();
    let mut writing =
        instructions.map(|instruction| instruction.insn).filter(|&insn| written(insn).contains(register));
    let (Some(insn), None) = (writing.next(), writing.next()) else { return None };
    let Insn::Alu { op: AluOp::Add, width: Width::W32, src: Operand::Imm(by @ (1 | -1)), .. } = insn else {
        return None;
    };
    let is_tested = |block: BlockIndex| is_tested(graph, &graph.blocks[block], blocks, changed, register);
    let exits = |&block: &BlockIndex| {
        let outcomes = graph.blocks[block].terminator.outcomes();
        outcomes.into_iter().any(|edge| !matches!(edge, Edge::Block(next) if blocks.contains(&next)))
    };
    let least = if is_tested(block) && blocks.iter().filter(|block| exits(block)).eq([&block]) {
        1
    } else if header != block && is_tested(header) {
        0
    } else {
        return None;
    };
    Some(Stride { register: register.number(), by: by.into(), is_narrow: true, least })
}

/// Whether a block of a loop compares the low half of a register with a number that does not change, such that one of the register's
/// values ends the loop at least.
fn is_tested(graph: &Graph, block: &Block, blocks: &BTreeSet<BlockIndex>, changed: RegSet, register: Reg) -> bool {
    let Terminator::Branch { taken, fallthrough } = &block.terminator else { return false };
    let last = graph.instructions_of(block).last().map(|last| last.insn);
    let Some(Insn::Branch { cond, width: Width::W32, dst, src, .. }) = last else { return false };
    let is_constant = |operand| match operand {
        Operand::Reg(other) => !changed.contains(other),
        Operand::Imm(_) => true,
    };
    let is_of =
        dst == register && is_constant(src) || src == Operand::Reg(register) && is_constant(Operand::Reg(dst));
    let stays = |edge: &Edge| matches!(edge, Edge::Block(next) if blocks.contains(next));
    // That a number is above or below another one does not hold for all numbers.
    let is_strict = matches!(cond, Cond::Eq | Cond::Ne | Cond::Lt | Cond::Gt | Cond::SLt | Cond::SGt);
    let is_complement_strict = matches!(cond, Cond::Eq | Cond::Ne | Cond::Ge | Cond::Le | Cond::SGe | Cond::SLe);
    is_of
        && match (stays(taken), stays(fallthrough)) {
            (true, false) => is_strict,
            (false, true) => is_complement_strict,
            _ => false,
        }
}
