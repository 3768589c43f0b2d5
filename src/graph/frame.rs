//! The size of a function's stack frame: how far below r10 it may reach.
//!
//! In: blocks, and what the compiler says (`.stack_sizes`). Out: [`Frame`].
//!
//! Where the compiler says how large a frame is, it is that large: `buf[i - 20000000]` computes addresses that are far
//! below it, and never goes there. An access of r10 itself counts all the same, so that a size of some other function
//! (a tool that joins objects may mix them up) does no harm.
//!
//! Where it does not, a forward data flow keeps, for each register, a lower bound of its distance from r10 while it is
//! known to point into the frame:
//!
//! | use of a frame address | the frame reaches |
//! |---|---|
//! | load or store at `address + offset` | that low |
//! | it is stored, passed, compared, or in other arithmetic | that low, unless that is further than any frame ([`LARGEST_FRAME`]) |
//! | it was moved by a variable, or moves in a loop | that low, unless that is further than a stack goes ([`STACK`]) |
//! | a mask takes its low bits (gcc aligns variables so) | as much lower as they may be |
//! | any but an access | 512 bytes at least |
//!
//! The last row is the stack that every BPF program may rely on (RFC 9669 leaves it to the runtime; the kernel
//! gives 512 bytes): from an address that points past the end of a buffer one cannot see how long the buffer is.

use super::model::{Block, BlockIndex, Frame, Instruction};
use crate::decode::insn::{AluOp, Callee, Insn, Operand, Reg, Width};

/// Bytes of stack that a function whose frame's address escapes may rely on.
const GUARANTEED: u64 = 512;

/// The largest frame, in bytes: above it, an input is broken.
pub(super) const LARGEST_FRAME: u64 = 64 << 20;

/// Bytes of a stack as Linux gives it: an address further down, to which a variable is added, has a bias.
const STACK: i64 = 8 << 20;

/// How often a block is looked at before a frame address that still falls there counts as moving in a loop.
const VISITS: u8 = 16;

/// A register that points into the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Address {
    /// A lower bound of its distance from r10 (zero or negative, mostly).
    at: i64,
    /// A variable was added, or it is one of several.
    is_moved: bool,
}

type State = [Option<Address>; Reg::COUNT];

/// What the compiler says of a frame.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub size: Option<u64>,
    pub alignment: Option<u64>,
}

/// Measures the frame of a function.
pub(super) fn measure(instructions: &[Instruction], blocks: &[Block], known: Known) -> Frame {
    let all = || blocks.iter().flat_map(|block| &instructions[block.start..block.end]);
    if !all().any(|instruction| names_frame_pointer(instruction.insn)) {
        return Frame::default();
    }
    // A function that only compares r10 has a frame too: else r10 would be no address.
    let (size, certain, escapes) = match known.size {
        Some(known) => {
            let accessed = all().filter_map(|instruction| access(instruction.insn));
            let direct = accessed.filter(|access| access.base == Reg::FRAME).map(|access| access.offset);
            let lowest = direct.fold(0, i32::min).unsigned_abs();
            let escapes = all().any(|instruction| computes_address(instruction.insn));
            (known.max(lowest.into()), known, escapes)
        }
        None => {
            let meter = flow(instructions, blocks);
            let unseen = if meter.escapes { GUARANTEED } else { 0 };
            (meter.lowest.unsigned_abs().max(unseen), meter.certain.unsigned_abs(), meter.escapes)
        }
    };
    Frame { size: size.max(1), escapes, certain, alignment: known.alignment.filter(|_| escapes) }
}

/// What the code does with the frame.
fn flow(instructions: &[Instruction], blocks: &[Block]) -> Meter {
    let mut meter = Meter::default();
    let mut entry: State = [None; Reg::COUNT];
    entry[Reg::FRAME.index()] = Some(Address { at: 0, is_moved: false });
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
    meter
}

/// The memory that an instruction accesses.
#[derive(Clone, Copy, Debug)]
pub(super) struct MemoryAccess {
    pub base: Reg,
    pub offset: i32,
    pub bytes: i32,
}

/// What an instruction accesses, if it does.
pub(super) fn access(insn: Insn) -> Option<MemoryAccess> {
    let (base, offset, bits) = match insn {
        Insn::Load { size, base, offset, .. }
        | Insn::LoadAcquire { size, base, offset, .. }
        | Insn::Store { size, base, offset, .. }
        | Insn::StoreRelease { size, base, offset, .. } => (base, offset, size.bits()),
        Insn::Atomic { width, base, offset, .. }
        | Insn::Xchg { width, base, offset, .. }
        | Insn::Cmpxchg { width, base, offset, .. } => (base, offset, if width == Width::W32 { 32 } else { 64 }),
        _ => return None,
    };
    Some(MemoryAccess { base, offset, bytes: i32::from(bits / 8) })
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
            // Addresses of which one or the other is meant are as one that was moved.
            (Some(a), Some(b)) if (!a.is_moved && a != b) || (b.at < a.at && may_fall) => {
                *into = Some(Address { at: a.at.min(b.at), is_moved: true });
                merged = Merged::Changed;
            }
            (Some(a), Some(b)) if b.at < a.at && matches!(merged, Merged::Same) => merged = Merged::Moving,
            _ => {}
        }
    }
    merged
}

/// Whether r10 is an operand.
fn names_frame_pointer(insn: Insn) -> bool {
    access(insn).is_some_and(|access| access.base == Reg::FRAME) || computes_address(insn)
}

/// Whether r10 is an operand whose value matters, and not only what is there.
fn computes_address(insn: Insn) -> bool {
    let operand = |src| src == Operand::Reg(Reg::FRAME);
    match insn {
        Insn::Alu { src, .. } | Insn::StoreStackArgument { src, .. } | Insn::Store { src, .. } => operand(src),
        Insn::MovSx { src, .. }
        | Insn::AddrSpaceCast { src, .. }
        | Insn::Atomic { src, .. }
        | Insn::Xchg { src, .. }
        | Insn::Cmpxchg { src, .. }
        | Insn::StoreRelease { src, .. } => src == Reg::FRAME,
        Insn::Branch { dst, src, .. } => dst == Reg::FRAME || operand(src),
        Insn::JumpRegister { reg } | Insn::Call(Callee::Register(reg)) => reg == Reg::FRAME,
        Insn::LoadPacket { index, .. } => index == Some(Reg::FRAME),
        Insn::Load { .. }
        | Insn::LoadAcquire { .. }
        | Insn::Neg { .. }
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
    /// As `lowest`, without what was moved or is only compared.
    certain: i64,
    escapes: bool,
}

impl Meter {
    /// The frame has this place, if one can be so far down.
    fn reach(&mut self, address: Address) {
        let most = if address.is_moved { STACK } else { LARGEST_FRAME as i64 };
        if address.at >= -most {
            self.lowest = self.lowest.min(address.at);
        }
    }

    fn access(&mut self, base: Option<Address>, offset: i32) {
        match base.map(|base| Address { at: base.at.saturating_add(offset.into()), ..base }) {
            Some(address) if address.is_moved => self.reach(address),
            // That is an error, where no frame is so large.
            Some(address) => {
                self.lowest = self.lowest.min(address.at);
                self.certain = self.certain.min(address.at);
            }
            None => {}
        }
    }

    fn compare(&mut self, value: Option<Address>) {
        if let Some(address) = value {
            self.reach(address);
        }
    }

    fn leave(&mut self, value: Option<Address>) {
        self.compare(value);
        self.escapes |= value.is_some();
        if let Some(Address { at, is_moved: false }) = value.filter(|address| address.at >= -(LARGEST_FRAME as i64))
        {
            self.certain = self.certain.min(at);
        }
    }

    /// The address that arithmetic makes of an address. Its sum with a variable stays one of the same object.
    fn sum(&mut self, op: AluOp, left: Option<Address>, src: Operand, right: Option<Address>) -> Option<Address> {
        let by = |distance: i64| left.map(|left| Address { at: left.at.saturating_add(distance), ..left });
        match (op, src) {
            (AluOp::Mov, _) => right,
            (AluOp::Add, Operand::Imm(imm)) => by(imm.into()),
            (AluOp::Sub, Operand::Imm(imm)) => by(-i64::from(imm)),
            _ => {
                self.leave(left);
                self.leave(right);
                let address = match (op, src) {
                    // What `& -64` leaves is up to 63 lower.
                    (AluOp::And, Operand::Imm(imm @ i32::MIN..0)) => by(i64::from(imm) + 1),
                    _ => left.or(right),
                };
                address.map(|address| Address { is_moved: true, ..address })
            }
        }
    }

    /// Follows one instruction.
    fn step(&mut self, insn: Insn, state: &mut State) {
        let value = |src: Operand, state: &State| match src {
            Operand::Reg(reg) => state[reg.index()],
            Operand::Imm(_) => None,
        };
        if let Some(MemoryAccess { base, offset, .. }) = access(insn) {
            self.access(state[base.index()], offset);
        }
        match insn {
            Insn::Alu { op, width: Width::W64, dst, src } => {
                let right = value(src, state);
                state[dst.index()] = self.sum(op, state[dst.index()], src, right);
            }
            Insn::AddrSpaceCast { dst, src, .. } => state[dst.index()] = state[src.index()],
            Insn::Load { dst, .. } | Insn::LoadAcquire { dst, .. } => state[dst.index()] = None,
            Insn::Store { src, .. } | Insn::StoreStackArgument { src, .. } => self.leave(value(src, state)),
            Insn::StoreRelease { src, .. } => self.leave(state[src.index()]),
            Insn::Atomic { src, .. } | Insn::Xchg { src, .. } | Insn::Cmpxchg { src, .. } => {
                self.leave(state[src.index()]);
                match insn {
                    Insn::Cmpxchg { .. } => self.leave(state[Reg::R0.index()].take()),
                    Insn::Atomic { fetch: false, .. } => {}
                    _ => state[src.index()] = None,
                }
            }
            Insn::Call(_) | Insn::LoadPacket { .. } => {
                for reg in Reg::arguments() {
                    self.leave(state[reg.index()].take());
                }
                state[Reg::R0.index()] = None;
            }
            Insn::Exit => self.leave(state[Reg::R0.index()]),
            Insn::Branch { dst, src, .. } => {
                self.compare(state[dst.index()]);
                self.compare(value(src, state));
            }
            Insn::Alu { width: Width::W32, dst, src, .. } => {
                self.leave(state[dst.index()].take());
                self.leave(value(src, state));
            }
            Insn::MovSx { dst, src, .. } => {
                self.leave(state[src.index()]);
                state[dst.index()] = None;
            }
            Insn::Neg { dst, .. } | Insn::Endian { dst, .. } => self.leave(state[dst.index()].take()),
            Insn::LoadImm { dst, .. } | Insn::LoadStackArgument { dst, .. } => state[dst.index()] = None,
            Insn::Jump { .. } | Insn::JumpRegister { .. } | Insn::MayGoto { .. } => {}
        }
    }
}
