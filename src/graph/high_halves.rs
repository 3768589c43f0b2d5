//! Which registers have a high half of zeros where blocks start.
//!
//! In: a graph. Out: for each block, the registers that are zero-extended numbers of 32 bits or fewer, whichever way control came: by
//! the usual forward data flow over sets of registers. What BPF's 32-bit instructions write is zero-extended, and where such a value is
//! copied by one (`w1 = w2`), the copy is the value itself.
//!
//! The rule is the largest solution: a set only shrinks, so that each block is looked at no more than eleven times. Sound by
//! induction over the instructions that run: nothing is zero-extended when the function is entered, and [`after`] is right for each
//! instruction.

use super::model::{Graph, Instruction};
use super::registers::RegSet;
use crate::decode::insn::{AluOp, Insn, Operand, Size, WideImm, Width};

/// The zero-extended registers at the start of each block; none where no instruction copies the low half of a register, since
/// nobody asks then.
pub(crate) fn at_starts(graph: &Graph) -> Vec<RegSet> {
    if !graph.instructions.iter().any(|instruction| is_copy(instruction.insn)) {
        return vec![RegSet::EMPTY; graph.blocks.len()];
    }
    let mut starts = vec![RegSet::ALL; graph.blocks.len()];
    let Some(entry) = starts.first_mut() else { return starts };
    *entry = RegSet::EMPTY;
    let mut is_pending = vec![true; graph.blocks.len()];
    // First blocks on top: most facts flow forwards.
    let mut pending: Vec<usize> = (0..graph.blocks.len()).rev().collect();
    while let Some(index) = pending.pop() {
        is_pending[index] = false;
        let block = &graph.blocks[index];
        let instructions = graph.instructions_of(block).iter();
        let end = instructions.fold(starts[index], after);
        for next in block.terminator.successors() {
            let met = starts[next].intersection(end);
            if met != starts[next] {
                starts[next] = met;
                if !std::mem::replace(&mut is_pending[next], true) {
                    pending.push(next);
                }
            }
        }
    }
    starts
}

/// The zero-extended registers after an instruction, by those before it.
pub(crate) fn after(before: RegSet, instruction: &Instruction) -> RegSet {
    let written = super::liveness::written(instruction.insn);
    let is_zero_extended = match instruction.insn {
        Insn::Alu { width: Width::W32, .. }
        | Insn::Neg { width: Width::W32, .. }
        | Insn::MovSx { width: Width::W32, .. } => true,
        Insn::Alu { op, dst, src, .. } => match (op, src) {
            (AluOp::Mov, Operand::Reg(src)) => before.contains(src),
            (AluOp::Mov, Operand::Imm(imm)) => imm >= 0,
            (AluOp::And, Operand::Imm(imm)) => imm >= 0 || before.contains(dst),
            (AluOp::And, Operand::Reg(src)) => before.contains(dst) || before.contains(src),
            (AluOp::Or | AluOp::Xor, Operand::Imm(imm)) => imm >= 0 && before.contains(dst),
            (AluOp::Or | AluOp::Xor, Operand::Reg(src)) => before.contains(dst) && before.contains(src),
            (AluOp::Rsh, Operand::Imm(imm)) => imm & 63 >= 32 || before.contains(dst),
            (AluOp::Rsh, Operand::Reg(_)) => before.contains(dst),
            _ => false,
        },
        Insn::Load { size, signed, .. } => size != Size::D && !signed,
        Insn::LoadAcquire { size, .. } | Insn::Endian { size, .. } => size != Size::D,
        Insn::LoadImm { value: WideImm::Const(value), .. } => {
            instruction.target.is_none() && value <= u64::from(u32::MAX)
        }
        _ => false,
    };
    let others = before.minus(written);
    if is_zero_extended { others.union(written) } else { others }
}

/// Whether an instruction copies the low half of a register.
fn is_copy(insn: Insn) -> bool {
    matches!(insn, Insn::Alu { op: AluOp::Mov, width: Width::W32, src: Operand::Reg(_), .. })
}
