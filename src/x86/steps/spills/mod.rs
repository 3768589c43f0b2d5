//! Spills and reloads that are not needed.
//!
//! Cranelift's register allocator splits a value's live range by where it is used, and not by what a part of it costs: a value is
//! reloaded where a register still holds it, stored where its slot has it, stored for a reload that another one replaced. In:
//! fragments, as Cranelift made them. Out: the same with fewer spills and reloads.
//!
//! | what | becomes | file |
//! |---|---|---|
//! | a store of what the slot holds already | nothing | `available.rs` |
//! | a reload into a register that holds the slot's value | nothing | `available.rs` |
//! | a reload where another register holds it | a move of registers | `available.rs` |
//! | a reload or a move of registers that nothing reads | nothing | `liveness.rs` |
//! | a store that no reload reads | nothing | `liveness.rs` |
//! | a reload that one instruction reads, soon behind it | that instruction's memory operand | `operands.rs` |
//! | a slot that a loop reads and writes, where a register is free | is in that register too | `resident.rs` |
//!
//! The rule: only slots that nothing but spills and reloads of whole words accesses ([`SpillSlots`]), in functions whose frame is
//! understood ([`CraneliftFrame`]): the stack pointer stays where it is in the body. What instructions and blocks do is in
//! `flow.rs`.
//!
//! Both analyses keep a bit for each slot, for each block ([`MAX_WORK`](flow::MAX_WORK)); a function for which that is too much, or that is not
//! done after [`MAX_ROUNDS`](flow::MAX_ROUNDS) visits of its blocks, keeps its code. So time is linear.

mod available;
mod flow;
mod liveness;
mod operands;
mod resident;

use super::frame::{CraneliftFrame, FramePointer};
use crate::codegen::compiled::CompiledFunction;
use crate::x86::code::bytes::InstructionBytes;
use crate::x86::code::decode::decode;
use crate::x86::code::effects::Effects;
use crate::x86::code::fragments::{Fragment, Fragments};
use crate::x86::code::spill_slots::SpillSlots;
use available::Available;
use flow::{Flow, Operation};
use liveness::Liveness;

/// Leaves out what is not needed, and says whether that was anything.
pub(crate) fn run(fragments: &mut Fragments, function: &CompiledFunction) -> bool {
    let code = &function.code[..];
    if function.frame.spills.is_empty() {
        return false;
    }
    let Some((mut slots, mut flow)) = read(fragments, function) else { return false };
    let added = added(&flow, &slots);
    let mut is_other = !added.is_empty();
    if is_other {
        *fragments = resident::add(std::mem::take(fragments), added);
        let Some(again) = read(fragments, function) else { return true };
        (slots, flow) = again;
    }
    let before = flow.operations.clone();
    if Available::find(&flow).map(|available| available.rewrite(&mut flow)).is_none() {
        return is_other;
    }
    let Some(liveness) = Liveness::find(&flow) else { return is_other };
    let live = liveness.remove_dead(&mut flow);
    let folded = operands::fold(&mut flow, fragments, code, &slots, &live);
    is_other |= !folded.is_empty();
    for (index, (now, was)) in flow.operations.iter().zip(&before).enumerate() {
        if now == was {
            continue;
        }
        is_other = true;
        match *now {
            Operation::Copy { to, from } => replace(fragments, index, operands::copy(to, from)),
            Operation::Load { slot, register } => {
                replace(fragments, index, operands::reload(&slots, slot, register))
            }
            _ => fragments.remove(index),
        }
    }
    folded.into_iter().for_each(|(index, bytes)| replace(fragments, index, bytes));
    is_other
}

/// The slots of a function, and what its instructions do.
fn read(fragments: &Fragments, function: &CompiledFunction) -> Option<(SpillSlots, Flow)> {
    let code = &function.code[..];
    let frame = CraneliftFrame::read(fragments, code, FramePointer::LoadsArguments)?;
    let body =
        fragments.iter().enumerate().filter(|&(index, _)| !frame.is_part(index)).map(|(_, fragment)| fragment);
    let slots = SpillSlots::find(&function.frame.spills, body, code)?;
    let flow = Flow::read(fragments, code, &frame, &slots)?;
    Some((slots, flow))
}

/// What keeps slots of loops in registers.
fn added(flow: &Flow, slots: &SpillSlots) -> Vec<resident::Added> {
    let loops = resident::loops(flow);
    if loops.is_empty() {
        return Vec::new();
    }
    Liveness::find(flow).map_or_else(Vec::new, |liveness| resident::plan(flow, &loops, &liveness, slots))
}

/// Puts a new instruction in the place of one.
fn replace(fragments: &mut Fragments, index: usize, bytes: InstructionBytes) {
    fragments.replace(index, instruction(0, bytes));
}

/// A new instruction.
fn instruction(label: u32, bytes: InstructionBytes) -> Fragment {
    let effects = decode(bytes.bytes()).map_or(Effects::NOTHING, |instruction| instruction.effects);
    Fragment::new(label, bytes, effects)
}
