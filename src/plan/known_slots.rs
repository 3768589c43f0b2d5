//! Frame slots of which is known, at each place, what they hold.
//!
//! In: the index of a load or store, and its distance from the address that is followed, if that is known. Out: the slot that it
//! accesses, if that is one of these. The rule: nothing else touches the slot. Whoever names slots here has proven that, or repeats
//! the analysis without those of which it does not hold (`frame_slots.rs`).

use std::collections::BTreeSet;

use crate::decode::insn::Size;

/// The slots of a function's frame.
#[derive(Clone, Copy)]
pub(super) enum KnownSlots<'a> {
    /// Where the frame pointer is followed: slots are found by their distance from it.
    Trusted(&'a TrustedSlots),
    /// Where a parameter is followed: by the instructions that access them.
    Words(&'a WordSlots),
}

impl KnownSlots<'_> {
    /// The slot that an access is of, at a distance from what is followed; of 64 bits.
    pub(super) fn accessed(self, instruction: usize, distance: Option<i64>, size: Size) -> Option<i64> {
        match self {
            KnownSlots::Trusted(trusted) => distance.filter(|&at| size == Size::D && trusted.contains(at)),
            KnownSlots::Words(words) => words.at(instruction),
        }
    }
}

/// The frame slots that only hold 64-bit values which are stored there by known accesses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TrustedSlots {
    /// Slots below this...
    pub(super) below: i64,
    /// ...except these.
    pub(super) except: BTreeSet<i64>,
}

impl TrustedSlots {
    /// Whether the 64-bit slot at `at` is one.
    fn contains(&self, at: i64) -> bool {
        at.saturating_add(8) <= self.below && !self.except.contains(&at)
    }
}

/// The loads and stores of 64-bit slots that nothing else touches: the index of each, and the slot's distance from r10.
#[derive(Clone, Debug, Default)]
pub(super) struct WordSlots(Vec<(usize, i64)>);

impl WordSlots {
    /// Of instructions, and the slots that they access.
    pub(super) fn new(mut accesses: Vec<(usize, i64)>) -> WordSlots {
        accesses.sort_unstable();
        WordSlots(accesses)
    }

    /// The slot that an instruction accesses.
    fn at(&self, instruction: usize) -> Option<i64> {
        let found = self.0.binary_search_by_key(&instruction, |&(instruction, _)| instruction).ok()?;
        Some(self.0[found].1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
