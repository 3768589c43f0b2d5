//! The instructions of a function, as the steps change them.
//!
//! In: what was read (`read.rs`). Out: a [`Listing`]: a slot for each word of Cranelift's code.
//!
//! The rule: a slot stays where it is, and its number is the label that branches and tables have of it. A step may put another
//! instruction into it, or none, which takes no place in the new code; a branch to such a slot leads to the next one that has some.
//! In front of each loop that control falls into there are a few slots with nothing in them, which branches back do not lead to.

use std::ops::Range;

use super::decode::decode;
use super::instruction::{Instruction, Kind, field};
use super::registers::{CallRegisters, RegisterSet, register};

/// A word of Cranelift's code, and what is in its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) content: Content,
    /// The word of Cranelift's code whose source location it has.
    pub(crate) from: u32,
}

/// What is in a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content {
    /// An instruction.
    Instruction {
        instruction: Instruction,
        /// The slot that it refers to, for branches and addresses near it.
        to: Option<u32>,
        /// Whether a relocation fills it in: it stays as it is.
        is_relocated: bool,
    },
    /// A word that is no instruction.
    Data(u32),
    /// An entry of the jump table that starts at this slot, and where it leads.
    TableEntry { table: u32, to: u32 },
    /// Nothing.
    Gone,
}

/// The slots of a function, but for its constants.
#[derive(Clone, Default)]
pub(crate) struct Listing {
    pub(crate) slots: Vec<Slot>,
    /// The slot of each word of Cranelift's code.
    pub(crate) words: Vec<u32>,
    /// What is computed in front of loops.
    pub(crate) invariants: Vec<Invariant>,
    /// What its calls and its callers may look at.
    pub(crate) calls: CallRegisters,
}

/// An instruction that a loop has in front of it: at every target of a branch in the loop, its result is what it computes.
#[derive(Clone, Debug)]
pub(crate) struct Invariant {
    pub(crate) instruction: Instruction,
    /// The slots of the loop.
    pub(crate) slots: Range<usize>,
}

impl Listing {
    /// The instruction in a slot that a step may look into.
    pub(crate) fn get(&self, index: usize) -> Option<&Instruction> {
        match &self.slots.get(index)?.content {
            Content::Instruction { instruction, is_relocated: false, .. } => Some(instruction),
            _ => None,
        }
    }

    /// The instruction in a slot, if there is one.
    pub(crate) fn instruction(&self, index: usize) -> Option<&Instruction> {
        match &self.slots.get(index)?.content {
            Content::Instruction { instruction, .. } => Some(instruction),
            _ => None,
        }
    }

    /// Where the branch in a slot goes.
    pub(crate) fn target(&self, index: usize) -> Option<usize> {
        match self.slots.get(index)?.content {
            Content::Instruction { instruction: Instruction { kind: Kind::Branch(..), .. }, to, .. } => {
                to.map(|to| to as usize)
            }
            _ => None,
        }
    }

    /// Puts another instruction into a slot; what it refers to stays the same.
    pub(crate) fn replace(&mut self, index: usize, word: u32) {
        if let Content::Instruction { instruction, .. } = &mut self.slots[index].content {
            *instruction = decode(word);
        }
    }

    /// Lets the branch in a slot go elsewhere.
    pub(crate) fn retarget(&mut self, index: usize, slot: usize) {
        if let Content::Instruction { to, .. } = &mut self.slots[index].content {
            *to = Some(slot as u32);
        }
    }

    /// Leaves nothing in a slot.
    pub(crate) fn remove(&mut self, index: usize) {
        self.slots[index].content = Content::Gone;
    }

    /// What the instruction in a slot reads and writes: nothing, if there is none.
    pub(crate) fn effects(&self, index: usize) -> (RegisterSet, RegisterSet) {
        match self.instruction(index) {
            None => (0, 0),
            // By a jump table, and not to another function.
            Some(jump) if jump.kind == Kind::Jump && self.is_table(index + 1) => (register(field(jump.word, 5)), 0),
            Some(instruction) => {
                let implied = match instruction.kind {
                    Kind::Call => self.calls.arguments,
                    Kind::Return => self.calls.results,
                    _ => 0,
                };
                (instruction.reads | implied, instruction.writes)
            }
        }
    }

    /// Whether a slot is an entry of a jump table.
    pub(crate) fn is_table(&self, index: usize) -> bool {
        matches!(self.slots.get(index), Some(Slot { content: Content::TableEntry { .. }, .. }))
    }

    /// The first slot from one on that has something in it.
    pub(crate) fn next(&self, from: usize) -> Option<usize> {
        (from..self.slots.len()).find(|&index| !matches!(self.slots[index].content, Content::Gone))
    }
}
