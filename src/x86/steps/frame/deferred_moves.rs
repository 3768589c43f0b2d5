//! Moves into callee-saved registers that are deferred until a frame is there.
//!
//! In: the instructions of a function from its start on, one by one. Out: which of them wait. The rule: nothing that comes
//! before the frame writes what a deferred move reads, or reads flags that it would have written.

use crate::x86::code::abi::{CALLEE_SAVED, RBP, RSP, RegisterSet};
use crate::x86::code::bytes::InstructionBytes;
use crate::x86::code::effects::{Flags, Transfer};
use crate::x86::code::fragments::{Fragment, FragmentKind};

/// Moves that wait for the frame.
#[derive(Default)]
pub(super) struct DeferredMoves {
    moves: Vec<(usize, FragmentKind)>,
    /// The registers that they read.
    reads: RegisterSet,
    /// Whether the flags are those of a deferred instruction.
    have_flags: bool,
}

impl DeferredMoves {
    /// Their indexes, and what they are behind the prologue.
    pub(super) fn list(&self) -> &Vec<(usize, FragmentKind)> {
        &self.moves
    }

    /// Whether the flags are those of a deferred instruction, so that a branch cannot come before it.
    pub(super) fn have_flags(&self) -> bool {
        self.have_flags
    }

    /// Passes an instruction that needs no frame, or defers it; false if it can do neither.
    pub(super) fn pass(&mut self, at: usize, fragment: &Fragment, code: &[u8]) -> bool {
        if fragment.effects.written & self.reads != 0 {
            return false;
        }
        if needs_no_frame(fragment) {
            if self.have_flags && fragment.effects.reads_flags {
                return false;
            }
            self.have_flags &= fragment.effects.flags != Flags::Set;
            return true;
        }
        let Some(kind) = self.deferred(fragment, code) else { return false };
        self.moves.push((at, kind));
        self.reads |= fragment.effects.named() & !CALLEE_SAVED;
        true
    }

    /// What an instruction is behind the prologue, if it can wait.
    fn deferred(&mut self, fragment: &Fragment, code: &[u8]) -> Option<FragmentKind> {
        let bytes = fragment.bytes(code)?;
        let written = fragment.effects.written;
        let others = fragment.effects.named() & !CALLEE_SAVED;
        if fragment.is_relocated || written & CALLEE_SAVED == 0 || others & (1 << RSP | 1 << RBP) != 0 {
            return None;
        }
        let rest = if bytes.first().is_some_and(|byte| byte & 0xf0 == 0x40) { &bytes[1..] } else { bytes };
        match *rest {
            // `mov` of a register that is not callee-saved.
            [0x89 | 0x8b, operands] if operands >> 6 == 3 && others.count_ones() == 1 => {
                Some(FragmentKind::Instruction)
            }
            // `mov` of a constant.
            [0xb8..=0xbf, _, _, _, _] => Some(FragmentKind::Instruction),
            // `xor` of a register with itself: `mov $0` behind the prologue, which keeps the flags.
            [0x31 | 0x33, operands] if operands >> 6 == 3 && fragment.effects.named() == written => {
                self.have_flags = true;
                let register = written.trailing_zeros() as u8;
                let opcode = 0xb8 | register & 7;
                Some(FragmentKind::Rewritten(match register {
                    0..8 => InstructionBytes::of([opcode, 0, 0, 0, 0]),
                    _ => InstructionBytes::of([0x41, opcode, 0, 0, 0, 0]),
                }))
            }
            _ => None,
        }
    }
}

/// Whether an instruction can run without a frame.
pub(super) fn needs_no_frame(fragment: &Fragment) -> bool {
    let is_instruction = matches!(
        fragment.kind,
        FragmentKind::Instruction | FragmentKind::Rewritten(_) | FragmentKind::PcRelative { .. }
    );
    is_instruction
        && fragment.effects.transfer == Transfer::Next
        && !fragment.effects.is_stack
        && fragment.effects.named() & (CALLEE_SAVED | 1 << RSP | 1 << RBP) == 0
}
