//! Prologues and epilogues, without a frame pointer.
//!
//! Cranelift sets up a frame pointer in each function, and saves registers by moves, before all else. In: the code, read
//! back. Out: the code with these sequences instead, what unwinders are told, and the size of the frame.
//!
//! | | as Cranelift writes it | as it is then |
//! |---|---|---|
//! | prologue | `push %rbp; mov %rsp, %rbp; sub $N, %rsp; mov %rbx, k(%rsp) ..` | `push %rbx ..; sub $M, %rsp` |
//! | epilogue | `mov k(%rsp), %rbx ..; add $N, %rsp; mov %rbp, %rsp; pop %rbp; ret` | `add $M, %rsp; pop %rbx ..; ret` |
//!
//! Where early exits need no frame, the prologue comes behind them (`shrink_wrapping.rs`).
//!
//! The rule: slots keep their distances from the stack pointer: what is saved lies above them, before and after. So `M` is at
//! least where the saved registers began; the stack pointer is a multiple of 16 at calls and wherever there are slots. A
//! function stays as it is that names `%rbp` otherwise (arguments on the stack), moves the stack pointer otherwise (frames
//! that are probed), or reaches above its slots.

use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, InstructionInfoFactory, Mnemonic, OpKind, Register};

use super::short_encodings::Bytes;
use super::shrink_wrapping::{self, Plan};
use crate::codegen::FrameRow;
use crate::x86::code::effects::{Flow, RBP, RSP, SAVED, Uses, number};
use crate::x86::code::pieces::{Item, Items};

/// Bytes of a saved register, and of a return address.
const WORD: u32 = 8;

/// The stack pointer is a multiple of this at calls (System V psABI for x86-64, section 3.2.2).
const ALIGNMENT: u32 = 16;

/// The DWARF numbers of the processor's registers (System V psABI for x86-64, figure 3.36).
pub(crate) const DWARF: [u16; 16] = [0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15];

/// A function whose frame is another one.
pub(crate) struct Rewritten {
    pub(crate) items: Items,
    /// What an unwinder is told from the end of an item on.
    pub(crate) rows: Vec<(usize, FrameRow)>,
    /// Bytes of the frame, with the return address.
    pub(crate) size: u32,
}

/// A frame as Cranelift sets it up.
pub(crate) struct Frame {
    /// The items of the prologue.
    pub(crate) prologue: Range<usize>,
    /// The items of each epilogue, without `ret`, in order.
    epilogues: Vec<Range<usize>>,
    /// What it saves, by the processor's numbers, and where above the stack pointer.
    saved: Vec<(u8, u32)>,
    /// Bytes that it is to take below what it saves.
    slots: u32,
}

/// Gives a function another frame; the same items if its own is not understood.
pub(crate) fn rewrite(items: Items, code: &[u8]) -> Result<Rewritten, Items> {
    let Some(frame) = Frame::read(&items, code) else { return Err(items) };
    let plan = if frame.is_empty() { None } else { shrink_wrapping::plan(&items, &frame, code) };
    Ok(frame.written(items, plan))
}

/// An instruction of a prologue or an epilogue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    PushFrame,
    SetFrame,
    Take(u32),
    Save(u8, u32),
    Load(u8, u32),
    Give(u32),
    ResetStack,
    PopFrame,
}

/// Reads one.
fn step(bytes: &[u8]) -> Option<Step> {
    let constant = |bytes: &[u8]| match *bytes {
        [] => Some(0),
        [byte @ 0..0x80] => Some(u32::from(byte)),
        [a, b, c, d @ 0..0x80] => Some(u32::from_le_bytes([a, b, c, d])),
        _ => None,
    };
    Some(match *bytes {
        [0x55] => Step::PushFrame,
        [0x5d] => Step::PopFrame,
        [0x48, 0x89, 0xe5] => Step::SetFrame,
        [0x48, 0x89, 0xec] => Step::ResetStack,
        [0x48, 0x81 | 0x83, 0xec, ref size @ ..] => Step::Take(constant(size)?),
        [0x48, 0x81 | 0x83, 0xc4, ref size @ ..] => Step::Give(constant(size)?),
        // With a base of %rsp, and no index.
        [rex @ (0x48 | 0x4c), opcode @ (0x89 | 0x8b), operands, 0x24, ref offset @ ..]
            if operands & 7 == 4 && operands >> 6 != 3 =>
        {
            let register = (operands >> 3 & 7) | (rex & 4) << 1;
            let offset = constant(offset)?;
            if opcode == 0x89 { Step::Save(register, offset) } else { Step::Load(register, offset) }
        }
        _ => return None,
    })
}

impl Frame {
    pub(crate) fn read(items: &Items, code: &[u8]) -> Option<Frame> {
        let step = |at: usize| step(items.get(at)?.bytes(code)?);
        if step(0)? != Step::PushFrame || step(1)? != Step::SetFrame {
            return None;
        }
        let mut end = 2;
        let mut size = 0;
        if let Some(Step::Take(taken)) = step(end) {
            size = taken;
            end += 1;
        }
        let mut saved = Vec::new();
        while let Some(Step::Save(register, offset)) = step(end).filter(|_| size > 0) {
            // A function that saves nothing more may store an argument at once.
            if SAVED >> register & 1 == 0 {
                break;
            }
            saved.push((register, offset));
            end += 1;
        }
        let mut slots = size;
        saved.iter().for_each(|&(_, offset)| slots = slots.min(offset));
        let mut frame = Frame { prologue: 0..end, epilogues: Vec::new(), saved, slots };
        let mut calls = false;
        let mut at = end;
        while let Some(item) = items.get(at) {
            if let Some(epilogue) = frame.epilogue(at, size, &step) {
                at = epilogue.end;
                items.get(at)?.bytes(code).filter(|&bytes| bytes == [0xc3])?;
                frame.epilogues.push(epilogue);
            } else if !frame.is_body(item, code) {
                return None;
            }
            calls |= item.uses.flow == Flow::Call;
            at += 1;
        }
        let pushed = WORD + WORD * u32::try_from(frame.saved.len()).ok()?;
        if calls || frame.slots > 0 {
            frame.slots = (pushed + frame.slots).next_multiple_of(ALIGNMENT) - pushed;
        }
        Some(frame)
    }

    /// The epilogue that starts at an item, without `ret`.
    fn epilogue(&self, start: usize, size: u32, step: &impl Fn(usize) -> Option<Step>) -> Option<Range<usize>> {
        let mut at = start;
        for &(register, offset) in &self.saved {
            (step(at)? == Step::Load(register, offset)).then_some(())?;
            at += 1;
        }
        if size > 0 {
            (step(at)? == Step::Give(size)).then_some(())?;
            at += 1;
        }
        (step(at)? == Step::ResetStack && step(at + 1)? == Step::PopFrame).then_some(start..at + 2)
    }

    /// Whether an epilogue starts at an item.
    pub(crate) fn is_epilogue(&self, item: usize) -> bool {
        self.epilogues.binary_search_by_key(&item, |epilogue| epilogue.start).is_ok()
    }

    /// Whether an instruction keeps to the slots.
    fn is_body(&self, item: &Item, code: &[u8]) -> bool {
        let uses = item.uses;
        if uses.named() >> RBP & 1 != 0 || (uses.is_stack && uses.flow != Flow::Call) {
            return false;
        }
        if uses.named() >> RSP & 1 == 0 {
            return true;
        }
        let Some(bytes) = item.bytes(code) else { return false };
        let instruction = Decoder::new(64, bytes, DecoderOptions::NONE).decode();
        let is_operand = (0..instruction.op_count()).any(|operand| {
            instruction.op_kind(operand) == OpKind::Register
                && number(instruction.op_register(operand)) == Some(RSP)
        });
        let is_address = instruction.mnemonic() == Mnemonic::Lea;
        !is_operand
            && instruction.memory_base() == Register::RSP
            // The end of all slots is an address too: BPF's frame pointer.
            && instruction.memory_displacement64() < u64::from(self.slots) + u64::from(is_address)
    }

    /// Whether an item sets it up, or takes it down.
    pub(crate) fn is_part(&self, item: usize) -> bool {
        let behind = self.epilogues.partition_point(|epilogue| epilogue.start <= item);
        let epilogue = behind.checked_sub(1).map(|index| &self.epilogues[index]);
        self.prologue.contains(&item) || epilogue.is_some_and(|epilogue| epilogue.contains(&item))
    }

    /// Whether there is nothing to do to set it up.
    fn is_empty(&self) -> bool {
        self.saved.is_empty() && self.slots == 0
    }

    /// The code with this frame, set up where the plan says.
    fn written(self, items: Items, plan: Option<Plan>) -> Rewritten {
        let (old, size, names) = items.into_list();
        let plan = plan.unwrap_or_else(|| Plan::at(self.prologue.end));
        let mut made = Made::new(old.len(), names + plan.tails.len() as u32);
        let behind = old.iter().rposition(|item| !item.is_data()).map_or(0, |last| last + 1);
        let mut epilogues = self.epilogues.iter().peekable();
        for (index, &item) in old.iter().enumerate() {
            if index == plan.at {
                self.set_up(&mut made);
                plan.postponed.iter().for_each(|&(from, kind)| made.copy(Item { kind, ..old[from] }));
            }
            let is_return = epilogues.next_if(|epilogue| epilogue.end == index).is_some();
            let is_epilogue = epilogues.peek().is_some_and(|epilogue| epilogue.contains(&index));
            let mut item = item;
            if let Some(exit) = plan.exits.iter().find(|exit| exit.branch == index) {
                item.lead_to(names + exit.tail as u32, exit.inverts);
            }
            let told = made.rows.len();
            if self.prologue.contains(&index) || is_epilogue || plan.is_gone(index) {
                item.remove();
            } else if is_return {
                self.tear_down(&mut made);
            }
            made.list.push(item);
            if made.rows.len() > told && (index + 1 < behind || !plan.tails.is_empty()) {
                made.row(FrameRow::RestoreState);
            }
            if index + 1 == behind {
                self.tails(&mut made, &plan, &old, names);
            }
        }
        let size_of_frame = WORD + WORD * self.saved.len() as u32 + self.slots;
        Rewritten { items: Items::new(made.list, size), rows: made.rows, size: size_of_frame }
    }

    /// The prologue; where it takes a word, it pushes any register.
    fn set_up(&self, made: &mut Made) {
        let mut size = WORD;
        for &(register, _) in &self.saved {
            made.add(push(register));
            size += WORD;
            made.row(FrameRow::CfaOffset(size.cast_signed()));
            made.row(FrameRow::Offset(DWARF[usize::from(register)], -size.cast_signed()));
        }
        match self.slots {
            0 => return,
            WORD => made.add(push(0)),
            size => made.add(with_constant(0xec, size)),
        }
        made.row(FrameRow::CfaOffset((size + self.slots).cast_signed()));
    }

    /// An epilogue, without `ret`; a word is taken back into a register that holds no result.
    fn tear_down(&self, made: &mut Made) {
        let mut size = WORD + WORD * self.saved.len() as u32;
        match self.slots {
            0 => {}
            WORD => made.add(pop(1)),
            size => made.add(with_constant(0xc4, size)),
        }
        if self.slots > 0 {
            made.row(FrameRow::RememberState);
            made.row(FrameRow::CfaOffset(size.cast_signed()));
        }
        for (index, &(register, _)) in self.saved.iter().rev().enumerate() {
            made.add(pop(register));
            if index == 0 && self.slots == 0 {
                made.row(FrameRow::RememberState);
            }
            size -= WORD;
            made.row(FrameRow::CfaOffset(size.cast_signed()));
        }
    }

    /// What early exits lead to.
    fn tails(&self, made: &mut Made, plan: &Plan, old: &[Item], names: u32) {
        if plan.tails.is_empty() {
            return;
        }
        made.row(FrameRow::CfaOffset(WORD as i32));
        self.saved.iter().for_each(|&(register, _)| made.row(FrameRow::Restore(DWARF[usize::from(register)])));
        for (name, tail) in (names..).zip(&plan.tails) {
            let start = made.list.len();
            tail.iter().for_each(|&from| made.copy(old[from]));
            made.add(Bytes::of([0xc3]));
            made.list[start].name = name;
        }
    }
}

fn push(register: u8) -> Bytes {
    if register < 8 { Bytes::of([0x50 | register]) } else { Bytes::of([0x41, 0x50 | register & 7]) }
}

fn pop(register: u8) -> Bytes {
    if register < 8 { Bytes::of([0x58 | register]) } else { Bytes::of([0x41, 0x58 | register & 7]) }
}

/// An instruction of the stack pointer, `48 <opcode> <operand>`, with a constant.
fn with_constant(operand: u8, constant: u32) -> Bytes {
    let [a, b, c, d] = constant.to_le_bytes();
    match constant {
        0..0x80 => Bytes::of([0x48, 0x83, operand, a]),
        _ => Bytes::of([0x48, 0x81, operand, a, b, c, d]),
    }
}

/// What is made of the code.
struct Made {
    list: Vec<Item>,
    rows: Vec<(usize, FrameRow)>,
    /// What the next item is called.
    next: u32,
    factory: InstructionInfoFactory,
}

impl Made {
    /// Nothing yet, of code of so many items.
    fn new(items: usize, next: u32) -> Made {
        Made {
            list: Vec::with_capacity(items + 16),
            rows: Vec::new(),
            next,
            factory: InstructionInfoFactory::new(),
        }
    }

    /// An item that was not there.
    fn add(&mut self, bytes: Bytes) {
        let instruction = Decoder::new(64, bytes.bytes(), DecoderOptions::NONE).decode();
        let uses = Uses::new(&mut self.factory, &instruction);
        self.list.push(Item::new(self.next, bytes, uses));
        self.next += 1;
    }

    /// An item that is there already.
    fn copy(&mut self, item: Item) {
        self.list.push(Item { name: self.next, extent: 0, ..item });
        self.next += 1;
    }

    /// What holds behind the last item.
    fn row(&mut self, row: FrameRow) {
        self.rows.push((self.list.len() - 1, row));
    }
}
