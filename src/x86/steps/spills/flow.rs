//! What instructions do to registers and spill slots, and where control goes.
//!
//! In: fragments. Out: a [`Flow`]: an [`Operation`] for each of them, and the basic blocks. The rule: a block starts where a branch
//! or a jump table leads and behind what does not fall through; branches in the middle of one are edges from there.

use std::ops::Range;

use crate::x86::code::abi::{ARGUMENTS, CALLEE_SAVED, RBP, RESULTS, RSP, RegisterSet};
use crate::x86::code::effects::Transfer;
use crate::x86::code::fragments::{Fragment, FragmentKind, Fragments};
use crate::x86::code::spill_slots::{SpillAccess, SpillSlots};
use crate::x86::steps::frame::CraneliftFrame;

/// How often the blocks of a function are visited.
pub(super) const MAX_ROUNDS: usize = 16;

/// How many words of bits there may be, for each instruction.
pub(super) const MAX_WORK: usize = 64;

/// What calls keep, and callers expect to find again.
const KEPT: RegisterSet = CALLEE_SAVED | 1 << RBP | 1 << RSP;

/// What an instruction does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// Nothing: it is gone.
    Nothing,
    /// A spill.
    Store { slot: usize, register: u8 },
    /// A reload.
    Load { slot: usize, register: u8 },
    /// A move of 64 bits.
    Copy { to: u8, from: u8 },
    /// Anything else that goes on with the next one, and can be changed.
    Other { read: RegisterSet, written: RegisterSet },
    /// A call.
    Call { read: RegisterSet, written: RegisterSet },
    /// A branch to a block.
    Branch { to: usize, is_conditional: bool },
    /// A jump table: a range of [`Flow::targets`].
    Table { start: usize, end: usize },
    /// Control leaves the function; what that reads.
    Leave { read: RegisterSet },
}

/// The operations of a function.
pub(super) struct Flow {
    /// One for each fragment.
    pub(super) operations: Vec<Operation>,
    /// Ranges of them, in order.
    pub(super) blocks: Vec<Range<usize>>,
    /// The blocks that jump tables lead to.
    pub(super) targets: Vec<usize>,
    /// Words of a bit for each slot.
    pub(super) words: usize,
}

impl Flow {
    /// Reads a function; none if it is too large.
    pub(super) fn read(
        fragments: &Fragments,
        code: &[u8],
        frame: &CraneliftFrame,
        slots: &SpillSlots,
    ) -> Option<Flow> {
        let end = fragments.iter().rposition(|fragment| !matches!(fragment.kind, FragmentKind::Constants))? + 1;
        let mut is_first = vec![false; fragments.len() + 1];
        is_first[0] = true;
        for (index, fragment) in fragments[..end].iter().enumerate() {
            let mut mark = |label: u32| {
                is_first[fragments.index_of(label)?] = true;
                Some(())
            };
            match fragment.kind {
                FragmentKind::Branch { to, .. } => mark(to)?,
                FragmentKind::JumpTable => fragment.entries(code).try_for_each(mark)?,
                FragmentKind::Constants => return None,
                _ => {}
            }
            if ends(fragments, index) {
                is_first[index + 1] = true;
            }
        }
        let mut blocks: Vec<Range<usize>> = Vec::new();
        for (index, _) in is_first[..end].iter().enumerate().filter(|&(_, &is_first)| is_first) {
            if let Some(last) = blocks.last_mut() {
                last.end = index;
            }
            blocks.push(index..end);
        }
        let mut numbers = vec![usize::MAX; end];
        blocks.iter().enumerate().for_each(|(number, block)| numbers[block.start] = number);
        let words = slots.count().div_ceil(64);
        // Sixteen registers, and what is live.
        if blocks.len().checked_mul(17 * words)? > MAX_WORK * end {
            return None;
        }
        let mut flow = Flow { operations: Vec::with_capacity(end), blocks, targets: Vec::new(), words };
        let block_of = |label: u32| fragments.index_of(label).and_then(|index| numbers.get(index).copied());
        for (index, fragment) in fragments[..end].iter().enumerate() {
            let operation = match fragment.kind {
                FragmentKind::Branch { condition, to } => {
                    Operation::Branch { to: block_of(to)?, is_conditional: condition.is_some() }
                }
                FragmentKind::JumpTable => {
                    let start = flow.targets.len();
                    for label in fragment.entries(code) {
                        flow.targets.push(block_of(label)?);
                    }
                    flow.targets[start..].sort_unstable();
                    Operation::Table { start, end: flow.targets.len() }
                }
                _ => operation(fragment, code, frame.is_part(index), ends(fragments, index), slots),
            };
            flow.operations.push(operation);
        }
        // Control must not fall through behind the last one.
        let last = flow.operations.last()?;
        let is_end = matches!(
            last,
            Operation::Leave { .. } | Operation::Table { .. } | Operation::Branch { is_conditional: false, .. }
        );
        is_end.then_some(flow)
    }
}

/// Whether control does not fall through behind a fragment.
fn ends(fragments: &Fragments, index: usize) -> bool {
    let fragment = &fragments[index];
    let is_table = |at: usize| fragments.get(at).is_some_and(|next| matches!(next.kind, FragmentKind::JumpTable));
    match fragment.kind {
        FragmentKind::Branch { condition, .. } => condition.is_none(),
        FragmentKind::JumpTable => true,
        _ => !matches!(fragment.effects.transfer, Transfer::Next | Transfer::Call) && !is_table(index + 1),
    }
}

/// What an instruction does that is no branch.
fn operation(fragment: &Fragment, code: &[u8], is_of_frame: bool, ends: bool, slots: &SpillSlots) -> Operation {
    let effects = fragment.effects;
    match effects.transfer {
        Transfer::Call if effects.keeps_registers => {
            Operation::Call { read: effects.read, written: effects.written }
        }
        Transfer::Call => Operation::Call { read: effects.read | ARGUMENTS, written: effects.written | !KEPT },
        Transfer::Return => Operation::Leave { read: RESULTS | KEPT },
        Transfer::Trap => Operation::Leave { read: 0 },
        Transfer::Elsewhere if ends => Operation::Leave { read: !0 },
        Transfer::Next | Transfer::Elsewhere => {
            let bytes = fragment.current_bytes(code).unwrap_or_default();
            let is_plain = !is_of_frame && !fragment.is_relocated;
            match slots.access(bytes).filter(|_| is_plain) {
                Some(SpillAccess { slot, register, is_store: true }) => Operation::Store { slot, register },
                Some(SpillAccess { slot, register, is_store: false }) => Operation::Load { slot, register },
                None => match copy(bytes).filter(|_| is_plain) {
                    Some((to, from)) => Operation::Copy { to, from },
                    None => Operation::Other { read: effects.read, written: effects.written },
                },
            }
        }
    }
}

/// The registers of a move of 64 bits.
fn copy(bytes: &[u8]) -> Option<(u8, u8)> {
    let [rex @ 0x48..=0x4f, opcode @ (0x89 | 0x8b), operands @ 0xc0..=0xff] = *bytes else { return None };
    let (reg, rm) = ((operands >> 3 & 7) | (rex & 4) << 1, (operands & 7) | (rex & 1) << 3);
    let (to, from) = if opcode == 0x89 { (rm, reg) } else { (reg, rm) };
    let is_of_frame = |register: u8| matches!(register, RSP | RBP);
    (rex & 2 == 0 && !is_of_frame(to) && !is_of_frame(from)).then_some((to, from))
}
