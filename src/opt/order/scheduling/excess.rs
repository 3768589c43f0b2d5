//! How many values too many live in an order.
//!
//! In: a block, an order of its nodes. Out: behind each node, how many values live for which there is no register, summed up. A value
//! that is live over two nodes counts twice: what is spilled for longer is in the way of more. One walk, which ends where an order has
//! more than it may.

use super::block::{BlockValue, ReadBlock};
use crate::config::TargetFacts;

/// How many registers there are, for integers and for floats.
pub(super) struct Registers([u64; 2]);

impl Registers {
    pub(super) fn of(facts: &TargetFacts) -> Registers {
        // The machines with many have 32 of both.
        Registers([facts.registers as u64, if facts.registers > 16 { 32 } else { 16 }])
    }

    /// Those of a machine with few.
    #[cfg(test)]
    pub(super) fn some() -> Registers {
        Registers([14, 16])
    }
}

/// The excess of an order, if it is at most so much.
pub(super) fn excess(
    block: &ReadBlock,
    order: &[usize],
    Registers(registers): &Registers,
    most: u64,
) -> Option<u64> {
    let kind = |value: &BlockValue| usize::from(value.is_float);
    let mut unread: Vec<usize> = block.values.iter().map(|value| value.readers.len()).collect();
    let mut live = [0u64; 2];
    block.values.iter().filter(|value| value.writer.is_none()).for_each(|value| live[kind(value)] += 1);
    let mut excess = 0;
    for &node in order {
        for &read in block.reads(node) {
            unread[read] -= 1;
            let value = &block.values[read];
            if unread[read] == 0 && !value.is_live_out {
                live[kind(value)] -= 1;
            }
        }
        for value in &block.values[block.nodes[node].writes.clone()] {
            live[kind(value)] += u64::from(!value.readers.is_empty() || value.is_live_out);
        }
        excess += live[0].saturating_sub(registers[0]) + live[1].saturating_sub(registers[1]);
        if excess > most {
            return None;
        }
    }
    Some(excess)
}
