//! The labels that branches and jump tables lead to.
//!
//! In: fragments. Out: [`BranchTargets`], which a step keeps true to what it changes. What falls through to a fragment does
//! not count.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::fragments::{Fragment, FragmentKind, Fragments};

/// How many branches and entries of jump tables lead to each label.
pub(crate) struct BranchTargets(HashMap<u32, u32>);

impl BranchTargets {
    pub(crate) fn new(fragments: &Fragments, code: &[u8]) -> BranchTargets {
        let mut targets = BranchTargets(HashMap::new());
        for fragment in fragments.iter() {
            match fragment.kind {
                FragmentKind::Branch { to, .. } => targets.add(to),
                FragmentKind::JumpTable => fragment.entries(code).for_each(|to| targets.add(to)),
                _ => {}
            }
        }
        targets
    }

    /// Whether one of these fragments is a target.
    pub(crate) fn include_any(&self, fragments: &[Fragment]) -> bool {
        fragments.iter().any(|fragment| self.0.contains_key(&fragment.label))
    }

    fn add(&mut self, label: u32) {
        *self.0.entry(label).or_default() += 1;
    }

    /// A branch to it is gone.
    pub(crate) fn remove(&mut self, label: u32) {
        if let Entry::Occupied(mut count) = self.0.entry(label) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    /// A branch leads elsewhere.
    pub(crate) fn replace(&mut self, label: u32, by: u32) {
        self.remove(label);
        self.add(by);
    }
}
