//! Stack promotion: frame slots that become values (LLVM's mem2reg and SROA), for what a compiler spilled for want of
//! registers.
//!
//! In: a graph, and how far functions reach below their parameters. Out: [`PromotedSlots`]: for each access to a promoted slot
//! which part of which value it is, and the bytes of the frame that are left.
//!
//! A slot is a group of overlapping accesses, of at most 8 bytes in all. It is promoted if nothing else can touch it than those
//! accesses, whose distances from r10 are known:
//!
//! - it lies below everything that other accesses reach ([`crate::plan::escape`]). So a pointer to one object does not prevent
//!   promotion of the slots below it, as long as all users of the pointer only go upwards from there, callees too, and whoever
//!   gets it back from one of these: BPF objects do not say how large an object in a frame is, nor that a slot is a spill. A
//!   callee that steps from a member back to its struct is seen to reach below its parameter, and one that is not known may: then
//!   nothing is promoted.
//! - no access to it is atomic;
//! - the function calls nothing that returns twice (the pass is off then).
//!
//! A slot that is read before it is written is 0. The bytes of a frame are undefined at entry, so any value will do.
//!
//! A store to a part of a slot keeps the rest only if that may be read ([`super::slot_liveness`]).
//!
//! Cost: a value that is live through many blocks costs a parameter in each, so the number of values times that of edges is
//! bounded by the number of instructions. The slots with most accesses are promoted first.
//!
//! Measured, since callees are seen to return numbers and to keep pointers in slots of their own: zstd's decompression takes 0.69 of the
//! time (`ZSTD_decompressSequences`, whose 16-byte copies by way of spilled bytes are merged then).

use super::escape::{ExactAccess, MAX_ANALYSED_EDGES, MAX_CALL_DEPTH, PointerEffects};
use super::frame_slots::{FrameSlots, OverlapGroup, bytes};
use super::slot_liveness::{PartAccess, SlotLiveness};
use crate::decode::insn::{Insn, Size};
use crate::graph::Graph;

/// How many values times edges there may be for each instruction.
const MAX_VALUES_PER_INSTRUCTION: usize = 32;

/// A promoted slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PromotedSlot {
    /// The value's size: the smallest that holds the slot.
    pub size: Size,
}

/// What an instruction accesses of a promoted slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotAccess {
    /// Index of the slot.
    pub slot: usize,
    /// How many bytes above the slot's start.
    pub at: u8,
    /// Whether it is a store to a part of the slot after which the rest of it may be read.
    pub keeps_rest: bool,
}

/// Which frame slots of a function become values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PromotedSlots {
    /// Bytes of the frame that are left.
    pub frame_size: u64,
    /// The slots.
    pub slots: Vec<PromotedSlot>,
    /// Each with the byte offset of the load or store in the code section, in that order.
    accesses: Vec<(u64, SlotAccess)>,
}

impl PromotedSlots {
    /// No slot: the frame as it is.
    pub fn none(graph: &Graph) -> PromotedSlots {
        PromotedSlots { frame_size: graph.frame.size, ..PromotedSlots::default() }
    }

    /// Finds the slots of a function.
    pub fn find(pointer_effects: &PointerEffects<'_>, graph: &Graph) -> PromotedSlots {
        if graph.frame.size == 0 || graph.edges() > MAX_ANALYSED_EDGES {
            return PromotedSlots::none(graph);
        }
        match FrameSlots::find(pointer_effects, graph, MAX_CALL_DEPTH) {
            Some(frame) => promote(graph, frame),
            None => PromotedSlots::none(graph),
        }
    }

    /// What the instruction at this offset accesses.
    pub fn access(&self, offset: u64) -> Option<SlotAccess> {
        let index = self.accesses.binary_search_by_key(&offset, |&(offset, _)| offset).ok()?;
        Some(self.accesses[index].1)
    }
}

/// The instructions, in order, that store to a part of a slot and keep the rest.
fn keeping_stores(group: &OverlapGroup, graph: &Graph, liveness: &mut SlotLiveness<'_>) -> Vec<usize> {
    let part = |access: &ExactAccess| PartAccess {
        instruction: access.instruction,
        // At most 8, all inside of the slot.
        bytes: (((1 << bytes(access)) - 1) << (access.at - group.start)) as u8,
        is_store: matches!(graph.instructions[access.instruction].insn, Insn::Store { .. }),
    };
    let mut parts: Vec<PartAccess> = group.accesses.iter().map(part).collect();
    parts.sort_unstable_by_key(|part| part.instruction);
    let mut keeping = Vec::new();
    liveness.keeping_stores(&parts, |instruction| keeping.push(instruction));
    keeping.sort_unstable();
    keeping
}

/// Promotes slots that nothing else reaches.
fn promote(graph: &Graph, frame: FrameSlots) -> PromotedSlots {
    let below = frame.below;
    let (mut chosen, mut memory): (Vec<OverlapGroup>, Vec<OverlapGroup>) =
        frame.groups.into_iter().partition(|group| group.is_promotable(below));
    let max_slots = MAX_VALUES_PER_INSTRUCTION * graph.instructions.len() / graph.edges().max(1);
    if chosen.len() > max_slots {
        chosen.sort_by_key(|group| (std::cmp::Reverse(group.accesses.len()), group.start));
        memory.extend(chosen.split_off(max_slots));
    }
    let lowest = memory.iter().map(|group| group.start).fold(below, i64::min);
    // Addresses that are compared must differ from 0 and from one another, so at least one byte stays.
    let min_size = u64::from(frame.is_compared || !memory.is_empty());
    let mut slots = PromotedSlots {
        frame_size: lowest.unsigned_abs().max(min_size).min(graph.frame.size),
        ..PromotedSlots::default()
    };
    let mut liveness = None;
    for (slot, group) in chosen.iter().enumerate() {
        let keeping = match group.is_uniform() {
            true => Vec::new(),
            false => keeping_stores(group, graph, liveness.get_or_insert_with(|| SlotLiveness::new(graph))),
        };
        slots.slots.push(PromotedSlot {
            size: match group.end - group.start {
                1 => Size::B,
                2 => Size::H,
                3..=4 => Size::W,
                _ => Size::D,
            },
        });
        for access in &group.accesses {
            // Less than 8.
            let at = (access.at - group.start) as u8;
            let keeps_rest = keeping.binary_search(&access.instruction).is_ok();
            let offset = graph.instructions[access.instruction].offset;
            slots.accesses.push((offset, SlotAccess { slot, at, keeps_rest }));
        }
    }
    slots.accesses.sort_unstable_by_key(|&(offset, _)| offset);
    slots
}
