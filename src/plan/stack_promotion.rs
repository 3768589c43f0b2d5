//! Frame slots that become values: what a compiler keeps on the stack for want of registers.
//!
//! In: a graph, and how far functions reach below their parameters. Out: [`Slots`]: for each access to a promoted slot
//! which part of which value it is, and the bytes of the frame that are left.
//!
//! A slot is a group of accesses that overlap, in all at most 8 bytes. It is promoted if all that can touch it are those
//! accesses, whose distance from r10 is known:
//!
//! - it lies below everything that other accesses reach ([`crate::plan::escape`]). So a pointer to one object does not hold
//!   up the slots below it, as long as what it goes to only goes upwards from there: BPF objects do not say how large an
//!   object in a frame is, nor that a spill is one. A callee that steps from a member back to its struct is seen to
//!   reach below its parameter, and one that is not known may: then nothing is promoted.
//! - no access to it is atomic;
//! - the function calls nothing that returns twice (the pass is off then).
//!
//! A slot that is read before it is written is 0. The bytes of a frame are undefined at entry, so any value will do.
//!
//! Cost: a value that lives through many blocks costs a parameter in each, so the number of values times that of edges
//! is bounded by the number of instructions. The slots with most accesses come first.

use std::collections::{BTreeSet, HashMap};

use super::escape::{Effects, ExactAccess, Flow, LARGEST, Reaches, SlotRules};
use crate::decode::insn::Size;
use crate::graph::Graph;

/// How many rounds of finding slots whose content is not known after all.
const ROUNDS: usize = 8;

/// How many values times edges there may be for each instruction.
const VALUES: usize = 32;

/// Bytes of the largest slot.
const WORD_BYTES: i64 = 8;

/// A promoted slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The value's size: the smallest that holds the slot.
    pub size: Size,
}

/// What an instruction accesses of a promoted slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Index of the slot.
    pub slot: usize,
    /// How many bytes above the slot's start.
    pub at: u8,
}

/// Which frame slots of a function become values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    /// Bytes of the frame that are left.
    pub frame_size: u64,
    /// The slots.
    pub slots: Vec<Slot>,
    /// By byte offset of the load or store in the code section.
    accesses: HashMap<u64, Access>,
}

impl Slots {
    /// No slot: the frame as it is.
    pub fn none(graph: &Graph) -> Slots {
        Slots { frame_size: graph.frame.size, ..Slots::default() }
    }

    /// Finds the slots of a function.
    pub fn find(reaches: &Reaches<'_>, graph: &Graph) -> Slots {
        if graph.frame.size == 0 || graph.edges() > LARGEST {
            return Slots::none(graph);
        }
        let mut rules = SlotRules { below: 0, but_for: BTreeSet::new() };
        for _ in 0..ROUNDS {
            let Some(effects) = Flow::of_frame(reaches, graph, &rules) else { break };
            let below = rules.below.min(effects.lowest);
            if below < -(graph.frame.size as i64) {
                break;
            }
            let groups = groups(&effects.accesses);
            let mut next = SlotRules { below, but_for: rules.but_for.clone() };
            // A word that is also accessed by parts or as memory holds other things than words that are stored there.
            let mixed = groups.iter().filter(|group| !(group.is_promoted(below) && group.is_uniform()));
            next.but_for.extend(mixed.flat_map(|group| &group.accesses).map(|access| access.at));
            if next == rules {
                return promote(graph, &effects, groups, below);
            }
            rules = next;
        }
        Slots::none(graph)
    }

    /// What the instruction at this offset accesses.
    pub fn access(&self, offset: u64) -> Option<Access> {
        self.accesses.get(&offset).copied()
    }
}

/// Accesses that overlap.
struct Group {
    start: i64,
    end: i64,
    accesses: Vec<ExactAccess>,
}

impl Group {
    fn is_promoted(&self, below: i64) -> bool {
        self.end <= below
            && self.end - self.start <= WORD_BYTES
            && !self.accesses.iter().any(|access| access.pinned)
    }

    /// All accesses are of all of it.
    fn is_uniform(&self) -> bool {
        self.accesses.iter().all(|access| access.at == self.start && bytes(access) == self.end - self.start)
    }
}

fn bytes(access: &ExactAccess) -> i64 {
    access.size.bytes().into()
}

/// The groups, from the lowest up.
fn groups(accesses: &[ExactAccess]) -> Vec<Group> {
    let mut sorted = accesses.to_vec();
    sorted.sort_by_key(|access| (access.at, access.instruction));
    let mut groups: Vec<Group> = Vec::new();
    for access in sorted {
        let end = access.at.saturating_add(bytes(&access));
        match groups.last_mut() {
            Some(group) if access.at < group.end => {
                group.end = group.end.max(end);
                group.accesses.push(access);
            }
            _ => groups.push(Group { start: access.at, end, accesses: vec![access] }),
        }
    }
    groups
}

fn promote(graph: &Graph, effects: &Effects, groups: Vec<Group>, below: i64) -> Slots {
    let (mut chosen, mut memory): (Vec<Group>, Vec<Group>) =
        groups.into_iter().partition(|group| group.is_promoted(below));
    let most = VALUES * graph.instructions.len() / graph.edges().max(1);
    if chosen.len() > most {
        chosen.sort_by_key(|group| (std::cmp::Reverse(group.accesses.len()), group.start));
        memory.extend(chosen.split_off(most));
    }
    let lowest = memory.iter().map(|group| group.start).fold(below, i64::min);
    // Addresses that are compared differ from 0 and from one another, as long as there is a frame.
    let least = u64::from(effects.is_compared || !memory.is_empty());
    let mut slots =
        Slots { frame_size: lowest.unsigned_abs().max(least).min(graph.frame.size), ..Slots::default() };
    for (slot, group) in chosen.iter().enumerate() {
        slots.slots.push(Slot {
            size: match group.end - group.start {
                1 => Size::B,
                2 => Size::H,
                3..=4 => Size::W,
                _ => Size::D,
            },
        });
        for access in &group.accesses {
            // Within a word.
            let at = (access.at - group.start) as u8;
            slots.accesses.insert(graph.instructions[access.instruction].offset, Access { slot, at });
        }
    }
    slots
}
