//! The slots of a frame: which of its bytes are accessed where, and from where on upwards pointers may reach them.
//!
//! In: a graph, and how many calls deep pointers are followed. Out: [`FrameSlots`]. A slot is a group of overlapping accesses whose
//! distances from r10 are known. The rule: what lies below all that pointers may reach is touched by these accesses only.
//!
//! Which pointers there are depends on what slots hold, and what can be said of that on which slots no pointer reaches: all are
//! trusted at first, and the analysis is repeated until those hold that it took for granted.

use std::collections::BTreeSet;

use super::escape::{EscapeAnalysis, ExactAccess, PointerEffects};
use super::known_slots::{TrustedSlots, WordSlots};
use crate::graph::Graph;

/// How often slots are found not to be trusted, before nothing is known.
const MAX_PASSES: usize = 8;

/// Bytes of the largest slot.
const MAX_SLOT_BYTES: i64 = 8;

/// What is known of a frame.
pub(super) struct FrameSlots {
    /// Below this, there are the accesses of slots only.
    pub(super) below: i64,
    /// Whether addresses of the frame are compared or returned.
    pub(super) is_compared: bool,
    /// All accesses at known distances, from the lowest address up.
    pub(super) groups: Vec<OverlapGroup>,
}

impl FrameSlots {
    /// Finds them; none if pointers may reach all of the frame.
    pub(super) fn find(pointer_effects: &PointerEffects<'_>, graph: &Graph, depth: usize) -> Option<FrameSlots> {
        let mut trusted = TrustedSlots { below: 0, except: BTreeSet::new() };
        for _ in 0..MAX_PASSES {
            let effects = EscapeAnalysis::of_frame(pointer_effects, graph, &trusted, depth)?;
            let below = trusted.below.min(effects.lowest);
            if std::env::var_os("DBG").is_some() {
                eprintln!(
                    "== {:?} {} depth {depth} frame {} edges {} lowest {}",
                    graph.function,
                    pointer_effects.program.functions[graph.function].name,
                    graph.frame.size,
                    graph.edges(),
                    effects.lowest
                );
            }
            if below < -(graph.frame.size as i64) {
                return None;
            }
            let groups = groups(&effects.accesses);
            let mut next = TrustedSlots { below, except: trusted.except.clone() };
            // A slot that is also accessed in parts, or atomically, holds other things than the values stored there.
            let mixed = groups.iter().filter(|group| !(group.is_promotable(below) && group.is_uniform()));
            next.except.extend(mixed.flat_map(|group| &group.accesses).map(|access| access.at));
            if next == trusted {
                return Some(FrameSlots { below, is_compared: effects.is_compared, groups });
            }
            trusted = next;
        }
        None
    }

    /// The slots that hold whole 64-bit values only.
    pub(super) fn words(&self) -> WordSlots {
        let is_word = |group: &&OverlapGroup| {
            group.is_promotable(self.below) && group.is_uniform() && group.end - group.start == 8
        };
        let accesses = self.groups.iter().filter(is_word).flat_map(|group| &group.accesses);
        WordSlots::new(accesses.map(|access| (access.instruction, access.at)).collect())
    }
}

/// Accesses that overlap, directly or by way of others.
pub(super) struct OverlapGroup {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) accesses: Vec<ExactAccess>,
}

impl OverlapGroup {
    /// Whether it is a slot that can be promoted.
    pub(super) fn is_promotable(&self, below: i64) -> bool {
        self.end <= below
            && self.end - self.start <= MAX_SLOT_BYTES
            && !self.accesses.iter().any(|access| access.is_atomic)
    }

    /// Whether all accesses are of all of it.
    pub(super) fn is_uniform(&self) -> bool {
        self.accesses.iter().all(|access| access.at == self.start && bytes(access) == self.end - self.start)
    }
}

/// How many bytes are accessed.
pub(super) fn bytes(access: &ExactAccess) -> i64 {
    access.size.bytes().into()
}

/// Groups accesses, from the lowest address up.
fn groups(accesses: &[ExactAccess]) -> Vec<OverlapGroup> {
    let mut sorted = accesses.to_vec();
    sorted.sort_by_key(|access| (access.at, access.instruction));
    let mut groups: Vec<OverlapGroup> = Vec::new();
    for access in sorted {
        let end = access.at.saturating_add(bytes(&access));
        match groups.last_mut() {
            Some(group) if access.at < group.end => {
                group.end = group.end.max(end);
                group.accesses.push(access);
            }
            _ => groups.push(OverlapGroup { start: access.at, end, accesses: vec![access] }),
        }
    }
    groups
}
