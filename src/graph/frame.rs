//! The size of a function's stack frame: how far below r10 it may reach.
//!
//! In: blocks. Out: [`Frame`]. A forward data flow keeps, for each register, a lower bound of its distance from r10
//! while it is known to point into the frame.
//!
//! | use of a frame address | the frame reaches |
//! |---|---|
//! | load or store at `address + offset` | that low |
//! | any value `address + constant` | that low |
//! | it escapes (stored, passed, or arithmetic with a variable), or moves in a loop | at least as far as the compiler says (`.stack_sizes`), or 512 bytes |
//!
//! The last row is the stack that every BPF program may rely on (RFC 9669 leaves it to the runtime; the kernel
//! gives 512 bytes): from an address that points past the end of a buffer one cannot see how long the buffer is.
//! Compilers write frame addresses as r10 and a constant, so larger frames show in the second row.

use super::{Block, BlockIndex, Instruction};
use crate::decode::insn::{AluOp, Callee, Insn, Operand, Reg, Width};

/// Bytes of stack that a function whose frame's address escapes may rely on.
const GUARANTEED: u64 = 512;

/// The largest frame, in bytes: above it, an input is broken.
pub(super) const LARGEST: u64 = 64 << 20;

/// How often a block is looked at before a frame address that still falls there counts as moving in a loop.
const VISITS: u8 = 16;

/// What a function needs below r10.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Bytes.
    pub size: u64,
    /// Other functions may see its address.
    pub escapes: bool,
}

/// For each register that points into the frame, a lower bound of its distance from r10 (zero or negative, mostly).
type State = [Option<i64>; Reg::COUNT];

/// Measures the frame of a function, whose compiler may say how large it is.
pub(super) fn measure(instructions: &[Instruction], blocks: &[Block], known: Option<u64>) -> Frame {
    let names_frame = |block: &Block| {
        instructions[block.start..block.end].iter().any(|instruction| names_frame_pointer(instruction.insn))
    };
    if !blocks.iter().any(names_frame) {
        return Frame::default();
    }
    let mut meter = Meter::default();
    let mut entry: State = [None; Reg::COUNT];
    entry[Reg::FRAME.index()] = Some(0);
    let mut at_start: Vec<Option<State>> = vec![None; blocks.len()];
    let mut visits = vec![0u8; blocks.len()];
    at_start[0] = Some(entry);
    let mut pending: Vec<BlockIndex> = vec![0];
    while let Some(index) = pending.pop() {
        let Some(mut state) = at_start[index] else { continue };
        visits[index] = visits[index].saturating_add(1);
        let block = &blocks[index];
        for instruction in &instructions[block.start..block.end] {
            meter.step(instruction.insn, &mut state);
        }
        for successor in block.terminator.successors() {
            let may_fall = visits[successor] < VISITS;
            match merge(&mut at_start[successor], &state, may_fall) {
                Merged::Same => {}
                Merged::Changed => pending.push(successor),
                Merged::Moving => meter.escapes = true,
            }
        }
    }
    let unseen = if meter.escapes { known.unwrap_or(GUARANTEED) } else { 0 };
    // A function that only compares r10 has a frame too: else r10 would be no address.
    let size = meter.lowest.unsigned_abs().max(unseen).max(1);
    Frame { size, escapes: meter.escapes }
}

/// What taking in a predecessor's state did.
enum Merged {
    Same,
    Changed,
    /// An address would have fallen further, and no longer may.
    Moving,
}

/// Takes `from` into the state at a block's start. A register becomes an address once, and falls only while it may,
/// so this ends.
fn merge(into: &mut Option<State>, from: &State, may_fall: bool) -> Merged {
    let Some(into) = into else {
        *into = Some(*from);
        return Merged::Changed;
    };
    let mut merged = Merged::Same;
    for (into, from) in into.iter_mut().zip(from) {
        match (*into, *from) {
            (None, Some(_)) => {
                *into = *from;
                merged = Merged::Changed;
            }
            (Some(a), Some(b)) if b < a && may_fall => {
                *into = *from;
                merged = Merged::Changed;
            }
            (Some(a), Some(b)) if b < a && matches!(merged, Merged::Same) => merged = Merged::Moving,
            _ => {}
        }
    }
    merged
}

fn names_frame_pointer(insn: Insn) -> bool {
    let operand = |src| src == Operand::Reg(Reg::FRAME);
    match insn {
        Insn::Alu { src, .. } | Insn::StoreStackArgument { src, .. } => operand(src),
        Insn::MovSx { src, .. } | Insn::AddrSpaceCast { src, .. } => src == Reg::FRAME,
        Insn::Load { base, .. } | Insn::LoadAcquire { base, .. } => base == Reg::FRAME,
        Insn::Store { base, src, .. } => base == Reg::FRAME || operand(src),
        Insn::Branch { dst, src, .. } => dst == Reg::FRAME || operand(src),
        Insn::Atomic { base, src, .. }
        | Insn::Xchg { base, src, .. }
        | Insn::Cmpxchg { base, src, .. }
        | Insn::StoreRelease { base, src, .. } => base == Reg::FRAME || src == Reg::FRAME,
        Insn::JumpRegister { reg } | Insn::Call(Callee::Register(reg)) => reg == Reg::FRAME,
        Insn::LoadPacket { index, .. } => index == Some(Reg::FRAME),
        Insn::Neg { .. }
        | Insn::Endian { .. }
        | Insn::LoadImm { .. }
        | Insn::LoadStackArgument { .. }
        | Insn::Jump { .. }
        | Insn::MayGoto { .. }
        | Insn::Call(_)
        | Insn::Exit => false,
    }
}

/// What has been seen of the frame so far.
#[derive(Default)]
struct Meter {
    lowest: i64,
    escapes: bool,
}

impl Meter {
    /// A frame address at distance `at` exists, or is accessed.
    fn reach(&mut self, at: i64) {
        self.lowest = self.lowest.min(at);
    }

    fn access(&mut self, base: Option<i64>, offset: i16) {
        if let Some(base) = base {
            self.reach(base.saturating_add(i64::from(offset)));
        }
    }

    fn leave(&mut self, value: Option<i64>) {
        self.escapes |= value.is_some();
    }

    /// Follows one instruction.
    fn step(&mut self, insn: Insn, state: &mut State) {
        let value = |src: Operand, state: &State| match src {
            Operand::Reg(reg) => state[reg.index()],
            Operand::Imm(_) => None,
        };
        match insn {
            Insn::Alu { op, width: Width::W64, dst, src } => {
                let (left, right) = (state[dst.index()], value(src, state));
                let result = match (op, src) {
                    (AluOp::Mov, _) => right,
                    (AluOp::Add, Operand::Imm(imm)) => left.map(|at| at.saturating_add(i64::from(imm))),
                    (AluOp::Sub, Operand::Imm(imm)) => left.map(|at| at.saturating_sub(i64::from(imm))),
                    _ => {
                        // The sum of an address and a variable stays an address of the same object.
                        self.leave(left);
                        self.leave(right);
                        left.or(right)
                    }
                };
                if let Some(at) = result {
                    self.reach(at);
                }
                state[dst.index()] = result;
            }
            Insn::AddrSpaceCast { dst, src, .. } => state[dst.index()] = state[src.index()],
            Insn::Load { dst, base, offset, .. } | Insn::LoadAcquire { dst, base, offset, .. } => {
                self.access(state[base.index()], offset);
                state[dst.index()] = None;
            }
            Insn::Store { base, offset, src, .. } => {
                self.access(state[base.index()], offset);
                self.leave(value(src, state));
            }
            Insn::StoreRelease { base, offset, src, .. }
            | Insn::Atomic { base, offset, src, .. }
            | Insn::Xchg { base, offset, src, .. }
            | Insn::Cmpxchg { base, offset, src, .. } => {
                self.access(state[base.index()], offset);
                self.leave(state[src.index()]);
                if matches!(insn, Insn::Xchg { .. } | Insn::Atomic { fetch: true, .. }) {
                    state[src.index()] = None;
                }
            }
            Insn::StoreStackArgument { src, .. } => self.leave(value(src, state)),
            Insn::Call(_) | Insn::LoadPacket { .. } => {
                for reg in Reg::arguments() {
                    self.leave(state[reg.index()].take());
                }
                state[Reg::R0.index()] = None;
            }
            Insn::Exit => self.leave(state[Reg::R0.index()]),
            Insn::Alu { width: Width::W32, dst, .. }
            | Insn::Neg { dst, .. }
            | Insn::MovSx { dst, .. }
            | Insn::Endian { dst, .. }
            | Insn::LoadImm { dst, .. }
            | Insn::LoadStackArgument { dst, .. } => state[dst.index()] = None,
            Insn::Jump { .. } | Insn::JumpRegister { .. } | Insn::MayGoto { .. } | Insn::Branch { .. } => {}
        }
    }
}
