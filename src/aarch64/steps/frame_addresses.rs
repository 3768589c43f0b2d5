//! Addresses in the frame, by the stack pointer.
//!
//! In: an instruction, and what is known of its registers. Out: the instruction with the stack pointer in place of a register that is so
//! much above it. The rule: it is one instruction, and its address is the same.

use super::facts::Facts;
use crate::aarch64::code::fields::{bits, signed, with};
use crate::aarch64::code::instruction::{Instruction, Kind, Plain, field};
use crate::aarch64::code::registers::{FLAGS, R31};

/// The instruction with the stack pointer, if it can have that.
pub(super) fn by_stack_pointer(facts: &Facts, instruction: &Instruction) -> Option<u32> {
    let word = instruction.word;
    let base = field(word, 5);
    let above = facts.above_stack(base)?;
    let with_stack = with(word, 5, 5, u32::from(R31));
    match instruction.kind {
        Kind::Plain(Plain::AddConstant { subtracts, constant }) if instruction.wide => {
            let constant = constant.cast_signed();
            let sum = above.checked_add(if subtracts { -constant } else { constant })?;
            let sum = u32::try_from(sum).ok().filter(|&sum| sum < 0x1000 && instruction.writes & FLAGS == 0)?;
            instruction.dest?;
            Some(with(with(with_stack, 30, 1, 0), 10, 13, sum))
        }
        // An access by one register; one that moves it has no sources.
        Kind::Load { .. } | Kind::Store if bits(word, 27, 3) == 0b111 && !instruction.sources.is_empty() => {
            if bits(word, 24, 2) == 1 {
                let is_vector = bits(word, 26, 1) != 0;
                let size = bits(word, 30, 2) | if is_vector { bits(word, 23, 1) << 2 } else { 0 };
                let distance = u32::try_from(above).ok()?.checked_add(bits(word, 10, 12) << size)?;
                let scaled = distance >> size;
                (scaled << size == distance && scaled < 0x1000).then(|| with(with_stack, 10, 12, scaled))
            } else if bits(word, 21, 1) == 1 {
                (above == 0).then_some(with_stack)
            } else {
                let distance = signed(bits(word, 12, 9), 9).checked_add(above)?;
                let is_near = (-256..256).contains(&distance) && bits(word, 10, 2) == 0;
                is_near.then(|| with(with_stack, 12, 9, distance.cast_unsigned()))
            }
        }
        _ => None,
    }
}
