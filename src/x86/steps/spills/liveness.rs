//! Which registers and spill slots are read again.
//!
//! In: a [`Flow`]. Out: for each block, what is live when it starts ([`Liveness`]); then the flow without stores, reloads and moves
//! that nothing reads, and the registers that are live behind each operation. The rule: what is live behind a block is what any
//! edge out of it needs (a backward data-flow analysis). What only a dead reload or move reads is not live.

use super::flow::{Flow, MAX_ROUNDS, Operation};
use crate::x86::code::abi::RegisterSet;

/// What is live.
#[derive(Clone, Default, PartialEq, Eq)]
struct Live {
    registers: RegisterSet,
    slots: Vec<u64>,
}

/// What is live at the start of each block.
pub(super) struct Liveness {
    at_start: Vec<Live>,
}

impl Liveness {
    /// Finds it; none where that takes too long.
    pub(super) fn find(flow: &Flow) -> Option<Liveness> {
        let nothing = Live { registers: 0, slots: vec![0; flow.words] };
        let mut liveness = Liveness { at_start: vec![nothing; flow.blocks.len()] };
        for _ in 0..MAX_ROUNDS {
            let mut is_done = true;
            for block in (0..flow.blocks.len()).rev() {
                let mut live = liveness.behind(flow, block);
                for index in flow.blocks[block].clone().rev() {
                    liveness.step(flow, &mut live, flow.operations[index]);
                }
                if live != liveness.at_start[block] {
                    is_done = false;
                    liveness.at_start[block] = live;
                }
            }
            if is_done {
                return Some(liveness);
            }
        }
        None
    }

    /// The registers that are live at the start of a block.
    pub(super) fn registers(&self, block: usize) -> RegisterSet {
        self.at_start[block].registers
    }

    /// Whether a slot is live at the start of a block.
    pub(super) fn is_live(&self, block: usize, slot: usize) -> bool {
        self.at_start[block].slots[slot / 64] >> (slot % 64) & 1 != 0
    }

    /// What is live behind a block, if it falls through.
    fn behind(&self, flow: &Flow, block: usize) -> Live {
        let next = self.at_start.get(block + 1).cloned();
        next.unwrap_or_else(|| Live { registers: 0, slots: vec![0; flow.words] })
    }

    /// Before an operation.
    fn step(&self, flow: &Flow, live: &mut Live, operation: Operation) {
        match operation {
            Operation::Nothing => {}
            _ if live.is_dead(operation) => {}
            Operation::Store { slot, register } => {
                live.slots[slot / 64] &= !(1 << (slot % 64));
                live.registers |= 1 << register;
            }
            Operation::Load { slot, register } => {
                live.registers &= !(1 << register);
                live.slots[slot / 64] |= 1 << (slot % 64);
            }
            Operation::Copy { to, from } => {
                live.registers &= !(1 << to);
                live.registers |= 1 << from;
            }
            Operation::Other { read, written } | Operation::Call { read, written } => {
                live.registers &= !written;
                live.registers |= read;
            }
            Operation::Branch { to, is_conditional } => {
                if !is_conditional {
                    live.clear();
                }
                live.add(&self.at_start[to]);
            }
            Operation::Table { start, end } => {
                live.clear();
                flow.targets[start..end].iter().for_each(|&to| live.add(&self.at_start[to]));
            }
            Operation::Leave { read } => {
                live.clear();
                live.registers = read;
            }
        }
    }

    /// Leaves out what is dead; the registers that are live behind each operation.
    pub(super) fn remove_dead(self, flow: &mut Flow) -> Vec<RegisterSet> {
        let mut registers = vec![0; flow.operations.len()];
        for block in (0..flow.blocks.len()).rev() {
            let mut live = self.behind(flow, block);
            for index in flow.blocks[block].clone().rev() {
                registers[index] = live.registers;
                if live.is_dead(flow.operations[index]) {
                    flow.operations[index] = Operation::Nothing;
                }
                self.step(flow, &mut live, flow.operations[index]);
            }
        }
        registers
    }
}

impl Live {
    /// Whether nothing reads what an operation writes, and it does nothing else.
    fn is_dead(&self, operation: Operation) -> bool {
        match operation {
            Operation::Store { slot, .. } => self.slots[slot / 64] >> (slot % 64) & 1 == 0,
            Operation::Load { register, .. } | Operation::Copy { to: register, .. } => {
                self.registers >> register & 1 == 0
            }
            _ => false,
        }
    }

    fn clear(&mut self) {
        self.registers = 0;
        self.slots.fill(0);
    }

    fn add(&mut self, other: &Live) {
        self.registers |= other.registers;
        self.slots.iter_mut().zip(&other.slots).for_each(|(into, from)| *into |= from);
    }
}
