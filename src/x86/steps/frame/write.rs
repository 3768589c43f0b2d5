//! The new frame, written.
//!
//! In: fragments, Cranelift's frame, and where the new one is set up. Out: fragments, and the [`WrittenFrame`]. The rule: each
//! instruction that moves the stack pointer has a row right behind it, and behind each `ret` the rows of the body hold again.

use super::cranelift::CraneliftFrame;
use super::shrink_wrapping::ShrinkWrapping;
use crate::codegen::unwind::FrameRow;
use crate::x86::code::abi::{DWARF_NUMBERS, WORD};
use crate::x86::code::bytes::InstructionBytes;
use crate::x86::code::decode::decode;
use crate::x86::code::effects::Effects;
use crate::x86::code::fragments::{Fragment, Fragments};
use crate::x86::code::write::WrittenFrame;

/// The code with the new frame.
pub(super) fn write(
    fragments: Fragments,
    frame: &CraneliftFrame,
    plan: &ShrinkWrapping,
) -> (Fragments, WrittenFrame) {
    let tails = fragments.next_label();
    let (old, size) = fragments.into_list();
    let mut writer = Writer::new(old.len(), tails + plan.tails.len() as u32);
    let end = old.iter().rposition(|fragment| !fragment.is_data()).map_or(0, |last| last + 1);
    let mut epilogues = frame.epilogues.iter().peekable();
    for (index, &fragment) in old.iter().enumerate() {
        if index == plan.at {
            writer.prologue(frame);
            plan.deferred.iter().for_each(|&(from, kind)| writer.copy(Fragment { kind, ..old[from] }));
        }
        let is_return = epilogues.next_if(|epilogue| epilogue.end == index).is_some();
        let is_epilogue = epilogues.peek().is_some_and(|epilogue| epilogue.contains(&index));
        let mut fragment = fragment;
        if let Some(exit) = plan.exits.iter().find(|exit| exit.branch == index) {
            fragment.retarget(tails + exit.tail as u32, exit.inverts);
        }
        let rows = writer.rows.len();
        if frame.prologue.contains(&index) || is_epilogue || plan.is_gone(index) {
            fragment.remove();
        } else if is_return {
            writer.epilogue(frame);
        }
        writer.list.push(fragment);
        if writer.rows.len() > rows && (index + 1 < end || !plan.tails.is_empty()) {
            writer.row(FrameRow::RestoreState);
        }
        if index + 1 == end && !plan.tails.is_empty() {
            writer.tails(frame, plan, &old, tails);
        }
    }
    let written = WrittenFrame { rows: writer.rows, size: pushed(frame) + frame.slots };
    (Fragments::new(writer.list, size), written)
}

/// Bytes of the return address and of all saved registers.
fn pushed(frame: &CraneliftFrame) -> u32 {
    WORD + WORD * frame.saved.len() as u32
}

/// The code as far as it is written, with its rows.
struct Writer {
    list: Vec<Fragment>,
    /// Each holds from the end of the fragment with this index on.
    rows: Vec<(usize, FrameRow)>,
    /// The label of the next fragment that is added.
    next_label: u32,
}

impl Writer {
    /// For code that had so many fragments.
    fn new(fragments: usize, next_label: u32) -> Writer {
        Writer { list: Vec::with_capacity(fragments + 16), rows: Vec::new(), next_label }
    }

    /// The prologue. One word is allocated by a `push` of any register, which is shorter than `sub`.
    fn prologue(&mut self, frame: &CraneliftFrame) {
        let mut size = WORD;
        for &(register, _) in &frame.saved {
            self.add(push(register));
            size += WORD;
            self.row(FrameRow::CfaOffset(size.cast_signed()));
            self.row(FrameRow::Offset(DWARF_NUMBERS[usize::from(register)], -size.cast_signed()));
        }
        match frame.slots {
            0 => return,
            WORD => self.add(push(0)),
            size => self.add(with_constant(SUB_RSP, size)),
        }
        self.row(FrameRow::CfaOffset((size + frame.slots).cast_signed()));
    }

    /// An epilogue, without `ret`. One word is freed by a `pop` into `%rcx`, which holds no result.
    fn epilogue(&mut self, frame: &CraneliftFrame) {
        let mut size = pushed(frame);
        match frame.slots {
            0 => {}
            WORD => self.add(pop(1)),
            size => self.add(with_constant(ADD_RSP, size)),
        }
        if frame.slots > 0 {
            self.row(FrameRow::RememberState);
            self.row(FrameRow::CfaOffset(size.cast_signed()));
        }
        for (index, &(register, _)) in frame.saved.iter().rev().enumerate() {
            self.add(pop(register));
            if index == 0 && frame.slots == 0 {
                self.row(FrameRow::RememberState);
            }
            size -= WORD;
            self.row(FrameRow::CfaOffset(size.cast_signed()));
        }
    }

    /// The targets of early exits, which have no frame; their labels start at `label`.
    fn tails(&mut self, frame: &CraneliftFrame, plan: &ShrinkWrapping, old: &[Fragment], label: u32) {
        self.row(FrameRow::CfaOffset(WORD as i32));
        for &(register, _) in &frame.saved {
            self.row(FrameRow::Restore(DWARF_NUMBERS[usize::from(register)]));
        }
        for (label, tail) in (label..).zip(&plan.tails) {
            let start = self.list.len();
            tail.iter().for_each(|&from| self.copy(old[from]));
            self.add(InstructionBytes::of([0xc3]));
            self.list[start].label = label;
        }
    }

    /// Adds a new instruction.
    fn add(&mut self, bytes: InstructionBytes) {
        let effects = decode(bytes.bytes()).map_or(Effects::NOTHING, |instruction| instruction.effects);
        self.list.push(Fragment::new(self.next_label, bytes, effects));
        self.next_label += 1;
    }

    /// Adds a copy of an instruction.
    fn copy(&mut self, fragment: Fragment) {
        self.list.push(Fragment { label: self.next_label, extent: 0, ..fragment });
        self.next_label += 1;
    }

    /// Adds a row that holds behind the last instruction.
    fn row(&mut self, row: FrameRow) {
        self.rows.push((self.list.len() - 1, row));
    }
}

/// ModRM bytes of `sub $N, %rsp` and `add $N, %rsp`.
const SUB_RSP: u8 = 0xec;
const ADD_RSP: u8 = 0xc4;

fn push(register: u8) -> InstructionBytes {
    match register {
        0..8 => InstructionBytes::of([0x50 | register]),
        _ => InstructionBytes::of([0x41, 0x50 | register & 7]),
    }
}

fn pop(register: u8) -> InstructionBytes {
    match register {
        0..8 => InstructionBytes::of([0x58 | register]),
        _ => InstructionBytes::of([0x41, 0x58 | register & 7]),
    }
}

/// An instruction of `%rsp` and a constant, by its ModRM byte.
fn with_constant(operand: u8, constant: u32) -> InstructionBytes {
    let [a, b, c, d] = constant.to_le_bytes();
    match constant {
        0..0x80 => InstructionBytes::of([0x48, 0x83, operand, a]),
        _ => InstructionBytes::of([0x48, 0x81, operand, a, b, c, d]),
    }
}
