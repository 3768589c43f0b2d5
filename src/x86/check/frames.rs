//! Frames that were written anew, followed instruction by instruction.
//!
//! In: a function, read back. Out: the first thing that is wrong. What is known before an instruction is how far the stack
//! pointer is below the caller's frame (the CFA), which registers that a caller wants back are saved and where, and which hold
//! something else. The rule: it is the same on all ways to an instruction; unwinders are told so at each of them; the stack
//! pointer is aligned at calls; what is accessed in the frame lies below what is saved; and at `ret` all is as at the start.

use std::collections::BTreeMap;

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, Register};

use super::Wrong;
use crate::codegen::{CompiledFunction, FrameRow, Unwind};
use crate::x86::code::effects::{Flow, RBP, RSP, SAVED, Set, number};
use crate::x86::code::pieces::{Item, Items, Kind};

/// Bytes of a saved register, and of a return address.
const WORD: i32 = 8;

/// The stack pointer is a multiple of this at calls.
const ALIGNMENT: i32 = 16;

/// What is known before an instruction.
#[derive(Clone, PartialEq, Eq)]
struct State {
    /// How far the stack pointer is below the CFA.
    depth: i32,
    /// Registers that are saved, by number, and how far below the CFA.
    saved: BTreeMap<u8, i32>,
    /// Those that hold something else than the caller's value.
    changed: Set,
}

/// What unwinders are told: how far the CFA is above the stack pointer, and where registers are saved below the CFA.
#[derive(Clone)]
struct Told {
    cfa: i32,
    saved: BTreeMap<u8, i32>,
}

/// Whether an instruction is a part of a frame as this translator writes it.
pub(crate) fn is_of_frame(item: &Item, bytes: &[u8]) -> bool {
    let is_stack = item.uses.is_stack && item.uses.flow == Flow::Next && !matches!(item.kind, Kind::Branch { .. });
    is_stack || matches!(bytes, [0x48, 0x81 | 0x83, 0xec | 0xc4, ..])
}

/// Follows a function.
pub(crate) fn follow(function: &CompiledFunction, items: &Items) -> Result<(), Wrong> {
    let told = told(function, items)?;
    let mut states: Vec<Option<State>> = vec![None; items.len()];
    let mut open = vec![(0, State { depth: WORD, saved: BTreeMap::new(), changed: 0 })];
    while let Some((index, mut state)) = open.pop() {
        let item = items.get(index).filter(|item| !item.is_data()).ok_or(Wrong::Frame(u32::MAX, "it ends"))?;
        let wrong = |what: &'static str| Wrong::Frame(item.start, what);
        match &mut states[index] {
            Some(known) if (known.depth, &known.saved) != (state.depth, &state.saved) => {
                return Err(wrong("it is another frame on another way"));
            }
            Some(known) if state.changed & !known.changed == 0 => continue,
            Some(known) => {
                known.changed |= state.changed;
                state.changed = known.changed;
            }
            none => *none = Some(state.clone()),
        }
        state.is_told(&told[index]).map_err(wrong)?;
        let mut lead = |to: u32, state: &State| items.index_of(to).map(|to| open.push((to, state.clone())));
        match item.kind {
            Kind::Branch { condition, to } => {
                lead(to, &state).ok_or(wrong("it leads nowhere"))?;
                if condition.is_none() {
                    continue;
                }
            }
            _ => state.step(item, item.bytes(&function.code).unwrap_or_default()).map_err(wrong)?,
        }
        match item.uses.flow {
            Flow::Next | Flow::Call => open.push((index + 1, state)),
            Flow::Elsewhere => {
                let table = items.get(index + 1).filter(|item| matches!(item.kind, Kind::Table));
                let table = table.ok_or(wrong("it leaves with a frame"))?;
                for to in table.entries(&function.code) {
                    lead(to, &state).ok_or(wrong("a table leads nowhere"))?;
                }
            }
            Flow::Return | Flow::Trap => {}
        }
    }
    Ok(())
}

impl State {
    fn is_told(&self, told: &Told) -> Result<(), &'static str> {
        let is_saved = |register: u8| told.saved.contains_key(&register);
        let changed = (0..16).filter(|register| self.changed >> register & 1 != 0);
        if told.cfa != self.depth {
            Err("unwinders are told another place")
        } else if !changed.into_iter().all(is_saved) {
            Err("unwinders are not told of a saved register")
        } else if told.saved.iter().any(|(register, depth)| self.saved.get(register) != Some(depth)) {
            Err("unwinders are told another place of a saved register")
        } else {
            Ok(())
        }
    }

    /// After an instruction.
    fn step(&mut self, item: &Item, bytes: &[u8]) -> Result<(), &'static str> {
        let kept = SAVED | 1 << RBP;
        let uses = item.uses;
        if uses.flow == Flow::Call {
            return if self.depth % ALIGNMENT == 0 { Ok(()) } else { Err("the stack is not aligned") };
        }
        if uses.flow == Flow::Return {
            let is_as_at_first = self.depth == WORD && self.changed == 0;
            return if is_as_at_first { Ok(()) } else { Err("it returns with a frame") };
        }
        if is_of_frame(item, bytes) {
            return self.move_stack(&Decoder::new(64, bytes, DecoderOptions::NONE).decode());
        }
        if uses.named() >> RSP & 1 != 0 {
            self.access(&Decoder::new(64, bytes, DecoderOptions::NONE).decode())?;
        }
        self.change(uses.written & kept)
    }

    /// Registers are written.
    fn change(&mut self, written: Set) -> Result<(), &'static str> {
        self.changed |= written;
        let is_saved = |register: u8| self.saved.contains_key(&register);
        let all = (0..16).filter(|register| written >> register & 1 != 0).all(is_saved);
        if all { Ok(()) } else { Err("a register is written and not saved") }
    }

    fn move_stack(&mut self, instruction: &Instruction) -> Result<(), &'static str> {
        let constant =
            || i32::try_from(instruction.immediate(1).cast_signed()).map_err(|_| "the frame is too large");
        let register = number(instruction.op0_register()).ok_or("it moves the stack pointer")?;
        let is_kept = (SAVED | 1 << RBP) >> register & 1 != 0;
        match instruction.mnemonic() {
            Mnemonic::Push => {
                self.depth += WORD;
                if is_kept && self.changed >> register & 1 == 0 {
                    self.saved.entry(register).or_insert(self.depth);
                }
            }
            Mnemonic::Pop => {
                if is_kept && self.saved.get(&register) != Some(&self.depth) {
                    return Err("a register is loaded from where it was not saved");
                }
                self.changed &= !(1 << register);
                self.depth -= WORD;
            }
            Mnemonic::Sub => self.depth = self.depth.checked_add(constant()?).ok_or("the frame is too large")?,
            Mnemonic::Add => self.depth = self.depth.checked_sub(constant()?).ok_or("the frame is too large")?,
            _ => return Err("it moves the stack pointer"),
        }
        if self.depth < WORD { Err("the stack pointer is above the return address") } else { Ok(()) }
    }

    /// An access by the stack pointer.
    fn access(&self, instruction: &Instruction) -> Result<(), &'static str> {
        let slots = self.saved.values().fold(self.depth - WORD, |slots, &saved| slots.min(self.depth - saved));
        let is_address = instruction.mnemonic() == Mnemonic::Lea;
        let displacement = instruction.memory_displacement64().cast_signed();
        let size = if is_address { 0 } else { i64::try_from(instruction.memory_size().size()).unwrap_or(i64::MAX) };
        // An index is of an array that lies in the slots.
        let end = if instruction.memory_index() == Register::None { displacement + size } else { displacement };
        let is_inside = (0..=i64::from(slots)).contains(&displacement) && end <= i64::from(slots);
        let is_operand = instruction.memory_base() == Register::RSP;
        if is_operand && is_inside { Ok(()) } else { Err("it accesses what is no slot") }
    }
}

/// What unwinders are told before each item.
fn told(function: &CompiledFunction, items: &Items) -> Result<Vec<Told>, Wrong> {
    let Some(Unwind::Rows(rows)) = &function.unwind else {
        return Err(Wrong::Frame(0, "unwinders are told nothing"));
    };
    let first = Told { cfa: WORD, saved: BTreeMap::new() };
    let mut told = first.clone();
    let mut kept = Vec::new();
    let mut rows = rows.rows.iter().peekable();
    let mut all = Vec::with_capacity(items.len());
    for item in items.iter() {
        while let Some(&&(offset, row)) = rows.peek().filter(|(offset, _)| *offset <= item.start) {
            rows.next();
            let wrong = Wrong::Frame(offset, "a row for unwinders");
            let register = |number: u16| crate::x86::steps::frame::DWARF.iter().position(|&known| known == number);
            match row {
                FrameRow::CfaOffset(offset) => told.cfa = offset,
                FrameRow::Offset(of, offset) => {
                    let register = register(of).ok_or(wrong)?;
                    told.saved.insert(register as u8, -offset);
                }
                FrameRow::Restore(of) => {
                    let register = register(of).ok_or(wrong)?;
                    told.saved.remove(&(register as u8));
                }
                FrameRow::RememberState => kept.push(told.clone()),
                FrameRow::RestoreState => told = kept.pop().ok_or(wrong)?,
                FrameRow::Cfa(..) | FrameRow::CfaRegister(_) | FrameRow::SameValue(_) => return Err(wrong),
            }
        }
        all.push(told.clone());
    }
    Ok(all)
}
