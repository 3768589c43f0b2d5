//! New frames, followed instruction by instruction.
//!
//! In: a function, read back. Out: the first thing that is wrong. What is known before an instruction is how far the stack
//! pointer is below the CFA, which callee-saved registers are saved and where, and which hold something else. The rule: the
//! frame is the same on all paths to an instruction; the unwind rows say the same at each of them; the stack pointer is
//! aligned at calls; accesses to the frame are to slots; and at `ret` everything is as at the start.

use std::collections::BTreeMap;

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, Register};

use super::mismatch::Mismatch;
use crate::codegen::compiled::CompiledFunction;
use crate::codegen::unwind::{FrameRow, Unwind};
use crate::x86::code::abi::{CALLEE_SAVED, DWARF_NUMBERS, RBP, RSP, RegisterSet};
use crate::x86::code::effects::{Transfer, number};
use crate::x86::code::fragments::{Fragment, FragmentKind, Fragments};

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
    /// Those that do not hold the caller's value.
    changed: RegisterSet,
}

/// What the unwind rows say: how far the CFA is above the stack pointer, and where registers are saved below the CFA.
#[derive(Clone)]
struct UnwindState {
    cfa: i32,
    saved: BTreeMap<u8, i32>,
}

/// Whether an instruction belongs to a prologue or an epilogue of a new frame.
pub(crate) fn is_of_frame(fragment: &Fragment, bytes: &[u8]) -> bool {
    let is_stack = fragment.effects.is_stack
        && fragment.effects.transfer == Transfer::Next
        && !matches!(fragment.kind, FragmentKind::Branch { .. });
    is_stack || matches!(bytes, [0x48, 0x81 | 0x83, 0xec | 0xc4, ..])
}

/// Follows a function from its start along all branches.
pub(crate) fn follow(function: &CompiledFunction, fragments: &Fragments) -> Result<(), Mismatch> {
    let unwind = unwind_states(function, fragments)?;
    let mut states: Vec<Option<State>> = vec![None; fragments.len()];
    let mut open = vec![(0, State { depth: WORD, saved: BTreeMap::new(), changed: 0 })];
    while let Some((index, mut state)) = open.pop() {
        let fragment = fragments
            .get(index)
            .filter(|fragment| !fragment.is_data())
            .ok_or(Mismatch::Frame(u32::MAX, "it ends"))?;
        let wrong = |what: &'static str| Mismatch::Frame(fragment.start, what);
        match &mut states[index] {
            Some(known) if (known.depth, &known.saved) != (state.depth, &state.saved) => {
                return Err(wrong("the frame is another one on another path"));
            }
            Some(known) if state.changed & !known.changed == 0 => continue,
            Some(known) => {
                known.changed |= state.changed;
                state.changed = known.changed;
            }
            none => *none = Some(state.clone()),
        }
        state.agrees_with(&unwind[index]).map_err(wrong)?;
        let mut push = |to: u32, state: &State| fragments.index_of(to).map(|to| open.push((to, state.clone())));
        match fragment.kind {
            FragmentKind::Branch { condition, to } => {
                push(to, &state).ok_or(wrong("a branch has no target"))?;
                if condition.is_none() {
                    continue;
                }
            }
            _ => state.step(fragment, fragment.bytes(&function.code).unwrap_or_default()).map_err(wrong)?,
        }
        match fragment.effects.transfer {
            Transfer::Next | Transfer::Call => open.push((index + 1, state)),
            Transfer::Elsewhere => {
                let table =
                    fragments.get(index + 1).filter(|fragment| matches!(fragment.kind, FragmentKind::JumpTable));
                let table = table.ok_or(wrong("it leaves with a frame"))?;
                for to in table.entries(&function.code) {
                    push(to, &state).ok_or(wrong("an entry of a table has no target"))?;
                }
            }
            Transfer::Return | Transfer::Trap => {}
        }
    }
    Ok(())
}

impl State {
    fn agrees_with(&self, unwind: &UnwindState) -> Result<(), &'static str> {
        let is_saved = |register: u8| unwind.saved.contains_key(&register);
        let changed = (0..16).filter(|register| self.changed >> register & 1 != 0);
        if unwind.cfa != self.depth {
            Err("the unwind rows have another CFA")
        } else if !changed.into_iter().all(is_saved) {
            Err("the unwind rows lack a saved register")
        } else if unwind.saved.iter().any(|(register, depth)| self.saved.get(register) != Some(depth)) {
            Err("the unwind rows have another place of a saved register")
        } else {
            Ok(())
        }
    }

    /// After an instruction.
    fn step(&mut self, fragment: &Fragment, bytes: &[u8]) -> Result<(), &'static str> {
        let kept = CALLEE_SAVED | 1 << RBP;
        let effects = fragment.effects;
        if effects.transfer == Transfer::Call {
            return if self.depth % ALIGNMENT == 0 { Ok(()) } else { Err("the stack is not aligned") };
        }
        if effects.transfer == Transfer::Return {
            let is_as_at_first = self.depth == WORD && self.changed == 0;
            return if is_as_at_first { Ok(()) } else { Err("it returns with a frame") };
        }
        if is_of_frame(fragment, bytes) {
            return self.move_stack(&Decoder::new(64, bytes, DecoderOptions::NONE).decode());
        }
        if effects.named() >> RSP & 1 != 0 {
            self.access(&Decoder::new(64, bytes, DecoderOptions::NONE).decode())?;
        }
        self.change(effects.written & kept)
    }

    /// Writes registers.
    fn change(&mut self, written: RegisterSet) -> Result<(), &'static str> {
        self.changed |= written;
        let is_saved = |register: u8| self.saved.contains_key(&register);
        let all = (0..16).filter(|register| written >> register & 1 != 0).all(is_saved);
        if all { Ok(()) } else { Err("a register is written and not saved") }
    }

    fn move_stack(&mut self, instruction: &Instruction) -> Result<(), &'static str> {
        let constant =
            || i32::try_from(instruction.immediate(1).cast_signed()).map_err(|_| "the frame is too large");
        let register = number(instruction.op0_register()).ok_or("it moves the stack pointer")?;
        let is_kept = (CALLEE_SAVED | 1 << RBP) >> register & 1 != 0;
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
        // With an index, it is an access to an array, whose start is in the slots.
        let end = if instruction.memory_index() == Register::None { displacement + size } else { displacement };
        let is_inside = (0..=i64::from(slots)).contains(&displacement) && end <= i64::from(slots);
        let is_operand = instruction.memory_base() == Register::RSP;
        if is_operand && is_inside { Ok(()) } else { Err("it accesses the stack outside of the slots") }
    }
}

/// What the unwind rows say before each fragment.
fn unwind_states(function: &CompiledFunction, fragments: &Fragments) -> Result<Vec<UnwindState>, Mismatch> {
    let Some(Unwind::Rows(rows)) = &function.unwind else {
        return Err(Mismatch::Frame(0, "there are no unwind rows"));
    };
    let first = UnwindState { cfa: WORD, saved: BTreeMap::new() };
    let mut unwind = first.clone();
    let mut kept = Vec::new();
    let mut rows = rows.rows.iter().peekable();
    let mut all = Vec::with_capacity(fragments.len());
    for fragment in fragments.iter() {
        while let Some(&&(offset, row)) = rows.peek().filter(|(offset, _)| *offset <= fragment.start) {
            rows.next();
            let wrong = Mismatch::Frame(offset, "an unwind row");
            let register = |number: u16| DWARF_NUMBERS.iter().position(|&known| known == number);
            match row {
                FrameRow::CfaOffset(offset) => unwind.cfa = offset,
                FrameRow::Offset(of, offset) => {
                    let register = register(of).ok_or(wrong)?;
                    unwind.saved.insert(register as u8, -offset);
                }
                FrameRow::Restore(of) => {
                    let register = register(of).ok_or(wrong)?;
                    unwind.saved.remove(&(register as u8));
                }
                FrameRow::RememberState => kept.push(unwind.clone()),
                FrameRow::RestoreState => unwind = kept.pop().ok_or(wrong)?,
                FrameRow::Cfa(..) | FrameRow::CfaRegister(_) | FrameRow::SameValue(_) => return Err(wrong),
            }
        }
        all.push(unwind.clone());
    }
    Ok(all)
}
