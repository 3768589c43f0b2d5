//! Which registers hold what spill slots hold.
//!
//! In: a [`Flow`]. Out: for each block, which slots each register holds the value of when it starts ([`Available`]); then the flow
//! without the stores and reloads that change nothing. The rule: what is known at the start of a block is what all edges to it
//! have in common (a forward data-flow analysis, from everything down). A register that shares a slot with another one holds the
//! same value.

use super::flow::{Flow, MAX_ROUNDS, Operation};

/// General registers.
const REGISTERS: usize = 16;

/// Sets of slots, one for each register.
#[derive(Clone)]
struct Held {
    bits: Vec<u64>,
    words: usize,
}

/// What is held at the start of each block; none where control does not come.
pub(super) struct Available {
    at_start: Vec<Option<Held>>,
}

impl Available {
    /// Finds it; none where that takes too long.
    pub(super) fn find(flow: &Flow) -> Option<Available> {
        let mut available = Available { at_start: vec![None; flow.blocks.len()] };
        available.at_start[0] = Some(Held { bits: vec![0; REGISTERS * flow.words], words: flow.words });
        let mut is_open = vec![false; flow.blocks.len()];
        is_open[0] = true;
        for _ in 0..MAX_ROUNDS {
            let mut is_done = true;
            for block in 0..flow.blocks.len() {
                if std::mem::take(&mut is_open[block]) {
                    is_done = false;
                    available.follow(flow, block, &mut is_open)?;
                }
            }
            if is_done {
                return Some(available);
            }
        }
        None
    }

    /// Follows a block, to all edges out of it.
    fn follow(&mut self, flow: &Flow, block: usize, is_open: &mut [bool]) -> Option<()> {
        let mut held = self.at_start[block].clone()?;
        let mut meet = |to: usize, held: &Held| {
            let place = self.at_start.get_mut(to)?;
            let is_other = match place {
                Some(known) => known.intersect(held),
                None => {
                    *place = Some(held.clone());
                    true
                }
            };
            is_open[to] |= is_other;
            Some(())
        };
        for index in flow.blocks[block].clone() {
            match flow.operations[index] {
                Operation::Branch { to, is_conditional } => {
                    meet(to, &held)?;
                    if !is_conditional {
                        return Some(());
                    }
                }
                Operation::Table { start, end } => {
                    return flow.targets[start..end].iter().try_for_each(|&to| meet(to, &held));
                }
                Operation::Leave { .. } => return Some(()),
                operation => held.step(operation),
            }
        }
        meet(block + 1, &held)
    }

    /// Leaves out stores and reloads that change nothing, and reloads only where no register holds the value.
    pub(super) fn rewrite(self, flow: &mut Flow) {
        for (block, held) in flow.blocks.iter().zip(self.at_start) {
            let Some(mut held) = held else { continue };
            for index in block.clone() {
                let operation = flow.operations[index];
                flow.operations[index] = match operation {
                    Operation::Store { slot, register } if held.has(register, slot) => Operation::Nothing,
                    Operation::Load { slot, register } if held.has(register, slot) => Operation::Nothing,
                    Operation::Load { slot, register } => match held.holder(slot) {
                        Some(from) => Operation::Copy { to: register, from },
                        None => operation,
                    },
                    _ => operation,
                };
                held.step(operation);
            }
        }
    }
}

impl Held {
    fn row(&mut self, register: u8) -> &mut [u64] {
        let start = usize::from(register) * self.words;
        &mut self.bits[start..start + self.words]
    }

    fn has(&self, register: u8, slot: usize) -> bool {
        self.bits[usize::from(register) * self.words + slot / 64] >> (slot % 64) & 1 != 0
    }

    /// A register that holds the value of a slot.
    fn holder(&self, slot: usize) -> Option<u8> {
        (0..REGISTERS as u8).find(|&register| self.has(register, slot))
    }

    fn copy(&mut self, to: u8, from: u8) {
        let start = usize::from(from) * self.words;
        self.bits.copy_within(start..start + self.words, usize::from(to) * self.words);
    }

    /// After an operation.
    fn step(&mut self, operation: Operation) {
        match operation {
            Operation::Copy { to, from } => self.copy(to, from),
            Operation::Load { slot, register } if !self.has(register, slot) => match self.holder(slot) {
                Some(from) => {
                    self.copy(register, from);
                    self.same_as(register, slot);
                }
                None => {
                    self.row(register).fill(0);
                    self.row(register)[slot / 64] |= 1 << (slot % 64);
                }
            },
            Operation::Store { slot, register } if !self.has(register, slot) => {
                for other in 0..REGISTERS as u8 {
                    self.row(other)[slot / 64] &= !(1 << (slot % 64));
                }
                let row = self.row(register).to_vec();
                for other in 0..REGISTERS as u8 {
                    let is_same = other == register || row.iter().zip(&*self.row(other)).any(|(a, b)| a & b != 0);
                    if is_same {
                        self.row(other)[slot / 64] |= 1 << (slot % 64);
                    }
                }
            }
            Operation::Other { written, .. } | Operation::Call { written, .. } => {
                (0..REGISTERS as u8).filter(|register| written >> register & 1 != 0).for_each(|register| {
                    self.row(register).fill(0);
                });
            }
            _ => {}
        }
    }

    /// Adds to what a register holds what all others hold that hold this slot's value.
    fn same_as(&mut self, register: u8, slot: usize) {
        for other in (0..REGISTERS as u8).filter(|&other| other != register) {
            if self.has(other, slot) {
                let row = self.row(other).to_vec();
                self.row(register).iter_mut().zip(row).for_each(|(into, from)| *into |= from);
            }
        }
    }

    /// Keeps what another one has too, and says whether that is less.
    fn intersect(&mut self, other: &Held) -> bool {
        let mut is_less = false;
        for (word, &other) in self.bits.iter_mut().zip(&other.bits) {
            is_less |= *word & !other != 0;
            *word &= other;
        }
        is_less
    }
}
