//! The frame that Cranelift sets up.
//!
//! In: fragments. Out: a [`CraneliftFrame`]: which fragments set it up and take it down, what they save, and how many bytes of
//! slots there are. The rule: it is understood only if every other instruction keeps to the slots; else there is none.

use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, Mnemonic, OpKind, Register};

use crate::x86::code::abi::{CALLEE_SAVED, RBP, RSP, STACK_ALIGNMENT, WORD};
use crate::x86::code::effects::{Transfer, number};
use crate::x86::code::fragments::{Fragment, Fragments};

/// A frame as Cranelift sets it up.
pub(crate) struct CraneliftFrame {
    /// The fragments of the prologue.
    pub(super) prologue: Range<usize>,
    /// The fragments of each epilogue, without `ret`, in order.
    pub(super) epilogues: Vec<Range<usize>>,
    /// The registers that it saves, by the processor's numbers, and their offsets from the stack pointer.
    pub(super) saved: Vec<(u8, u32)>,
    /// Bytes below the saved registers, padded so that a frame of pushed registers and these is aligned where it must be.
    pub(super) slots: u32,
}

/// What a function's body may do with the frame pointer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FramePointer {
    /// Nothing, so that the frame can do without.
    Unused,
    /// Load arguments that are on the stack.
    LoadsArguments,
}

/// An instruction of a prologue or an epilogue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FrameInstruction {
    /// `push %rbp`.
    PushFramePointer,
    /// `mov %rsp, %rbp`.
    SetFramePointer,
    /// `sub $N, %rsp`.
    Allocate(u32),
    /// `mov %r, k(%rsp)`.
    Save(u8, u32),
    /// `mov k(%rsp), %r`.
    Restore(u8, u32),
    /// `add $N, %rsp`.
    Free(u32),
    /// `mov %rbp, %rsp`.
    ResetStackPointer,
    /// `pop %rbp`.
    PopFramePointer,
}

/// Reads an instruction of a prologue or an epilogue.
fn frame_instruction(bytes: &[u8]) -> Option<FrameInstruction> {
    let constant = |bytes: &[u8]| match *bytes {
        [] => Some(0),
        [byte @ 0..0x80] => Some(u32::from(byte)),
        [a, b, c, d @ 0..0x80] => Some(u32::from_le_bytes([a, b, c, d])),
        _ => None,
    };
    Some(match *bytes {
        [0x55] => FrameInstruction::PushFramePointer,
        [0x5d] => FrameInstruction::PopFramePointer,
        [0x48, 0x89, 0xe5] => FrameInstruction::SetFramePointer,
        [0x48, 0x89, 0xec] => FrameInstruction::ResetStackPointer,
        [0x48, 0x81 | 0x83, 0xec, ref size @ ..] => FrameInstruction::Allocate(constant(size)?),
        [0x48, 0x81 | 0x83, 0xc4, ref size @ ..] => FrameInstruction::Free(constant(size)?),
        // With a base of %rsp, and no index.
        [rex @ (0x48 | 0x4c), opcode @ (0x89 | 0x8b), operands, 0x24, ref offset @ ..]
            if operands & 7 == 4 && operands >> 6 != 3 =>
        {
            let register = (operands >> 3 & 7) | (rex & 4) << 1;
            let offset = constant(offset)?;
            if opcode == 0x89 {
                FrameInstruction::Save(register, offset)
            } else {
                FrameInstruction::Restore(register, offset)
            }
        }
        _ => return None,
    })
}

/// The distance from the stack pointer of a slot, if an instruction is one of the most frequent accesses: a move from or to a
/// register, other than the stack pointer.
fn slot_access(bytes: &[u8]) -> Option<u32> {
    let (rex, rest) = match *bytes {
        [0x66 | 0xf2 | 0xf3, rex @ 0x40..=0x4f, 0x0f, ref rest @ ..] => (rex, rest),
        [0x66 | 0xf2 | 0xf3, 0x0f, ref rest @ ..] => (0x40, rest),
        [rex @ 0x40..=0x4f, ref rest @ ..] => (rex, rest),
        _ => (0x40, bytes),
    };
    // With a base of %rsp, and no index.
    let [opcode, operands, 0x24, ref offset @ ..] = *rest else { return None };
    let is_move = match opcode {
        0x89 | 0x8b => (operands >> 3 & 7) | (rex & 4) << 1 != RSP,
        0x10 | 0x11 | 0x6f | 0x7f => rest.len() < bytes.len() && bytes[0] != rex,
        _ => false,
    };
    if !is_move || operands & 7 != 4 || rex & 3 != 0 {
        return None;
    }
    match (operands >> 6, offset) {
        (0, []) => Some(0),
        (1, &[byte @ 0..0x80]) => Some(u32::from(byte)),
        (2, &[a, b, c, d @ 0..0x80]) => Some(u32::from_le_bytes([a, b, c, d])),
        _ => None,
    }
}

/// Whether an instruction loads from above the saved frame pointer and the return address, and does nothing else with `%rbp`.
fn loads_argument(fragment: &Fragment, code: &[u8]) -> bool {
    let Some(bytes) = fragment.current_bytes(code) else { return false };
    let instruction = Decoder::new(64, bytes, DecoderOptions::NONE).decode();
    let is_register = |operand: u32| {
        instruction.op_kind(operand) == OpKind::Register && number(instruction.op_register(operand)) == Some(RBP)
    };
    instruction.mnemonic() != Mnemonic::Lea
        && instruction.memory_base() == Register::RBP
        && instruction.memory_index() == Register::None
        && (2 * u64::from(WORD)..1 << 31).contains(&instruction.memory_displacement64())
        && !(0..instruction.op_count()).any(is_register)
}

impl CraneliftFrame {
    /// Recognises it; none if the function is not as Cranelift writes one, or uses the stack in another way.
    pub(crate) fn read(fragments: &Fragments, code: &[u8], uses: FramePointer) -> Option<CraneliftFrame> {
        use FrameInstruction::{Allocate, PushFramePointer, Save, SetFramePointer};
        let instruction = |at: usize| frame_instruction(fragments.get(at)?.bytes(code)?);
        if instruction(0)? != PushFramePointer || instruction(1)? != SetFramePointer {
            return None;
        }
        let mut end = 2;
        let mut size = 0;
        if let Some(Allocate(allocated)) = instruction(end) {
            size = allocated;
            end += 1;
        }
        let mut saved = Vec::new();
        while let Some(Save(register, offset)) = instruction(end).filter(|_| size > 0) {
            // What follows the last saved register may be a store of an argument.
            if CALLEE_SAVED >> register & 1 == 0 {
                break;
            }
            saved.push((register, offset));
            end += 1;
        }
        let slots = saved.iter().map(|&(_, offset)| offset).fold(size, u32::min);
        let mut frame = CraneliftFrame { prologue: 0..end, epilogues: Vec::new(), saved, slots };
        let mut calls = false;
        let mut at = end;
        while let Some(fragment) = fragments.get(at) {
            if let Some(epilogue) = frame.epilogue(at, size, instruction) {
                at = epilogue.end;
                fragments.get(at)?.bytes(code).filter(|&bytes| bytes == [0xc3])?;
                frame.epilogues.push(epilogue);
            } else if !frame.is_body(fragment, code, uses) {
                return None;
            }
            calls |= fragment.effects.transfer == Transfer::Call;
            at += 1;
        }
        let pushed = WORD + WORD * u32::try_from(frame.saved.len()).ok()?;
        if calls || slots > 0 {
            frame.slots = (pushed + slots).next_multiple_of(STACK_ALIGNMENT) - pushed;
        }
        Some(frame)
    }

    /// The epilogue that starts at a fragment, without `ret`.
    fn epilogue(
        &self,
        start: usize,
        size: u32,
        instruction: impl Fn(usize) -> Option<FrameInstruction>,
    ) -> Option<Range<usize>> {
        use FrameInstruction::{Free, PopFramePointer, ResetStackPointer, Restore};
        let restores = self.saved.iter().map(|&(register, offset)| Restore(register, offset));
        let free = (size > 0).then_some(Free(size));
        let mut end = start;
        for expected in restores.chain(free).chain([ResetStackPointer, PopFramePointer]) {
            if instruction(end)? != expected {
                return None;
            }
            end += 1;
        }
        Some(start..end)
    }

    /// Whether an epilogue starts at a fragment.
    pub(super) fn is_epilogue(&self, fragment: usize) -> bool {
        self.epilogues.binary_search_by_key(&fragment, |epilogue| epilogue.start).is_ok()
    }

    /// Whether an instruction leaves the frame alone, but for accesses to the slots.
    fn is_body(&self, fragment: &Fragment, code: &[u8], uses: FramePointer) -> bool {
        let effects = fragment.effects;
        if effects.is_stack && effects.transfer != Transfer::Call {
            return false;
        }
        if effects.named() >> RBP & 1 != 0 {
            let is_alone = effects.named() >> RSP & 1 == 0 && effects.written >> RBP & 1 == 0 && !effects.stores;
            return uses == FramePointer::LoadsArguments && is_alone && loads_argument(fragment, code);
        }
        if effects.named() >> RSP & 1 == 0 {
            return true;
        }
        let Some(bytes) = fragment.current_bytes(code) else { return false };
        if let Some(slot) = slot_access(bytes) {
            return slot < self.slots;
        }
        let instruction = Decoder::new(64, bytes, DecoderOptions::NONE).decode();
        let is_operand = (0..instruction.op_count()).any(|operand| {
            instruction.op_kind(operand) == OpKind::Register
                && number(instruction.op_register(operand)) == Some(RSP)
        });
        let is_address = instruction.mnemonic() == Mnemonic::Lea;
        !is_operand
            && instruction.memory_base() == Register::RSP
            // The end of the slots is an address too: BPF's frame pointer.
            && instruction.memory_displacement64() < u64::from(self.slots) + u64::from(is_address)
    }

    /// Whether a fragment belongs to the prologue or an epilogue.
    pub(crate) fn is_part(&self, fragment: usize) -> bool {
        let behind = self.epilogues.partition_point(|epilogue| epilogue.start <= fragment);
        let epilogue = behind.checked_sub(1).map(|index| &self.epilogues[index]);
        self.prologue.contains(&fragment) || epilogue.is_some_and(|epilogue| epilogue.contains(&fragment))
    }

    /// Whether there is nothing to set up.
    pub(super) fn is_empty(&self) -> bool {
        self.saved.is_empty() && self.slots == 0
    }
}
