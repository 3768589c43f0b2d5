//! The ways that control takes, but from an instruction to the next one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::pieces::{Item, Items, Kind};

/// How many branches and entries of jump tables lead to each item, by its name.
pub(crate) struct Ways(HashMap<u32, u32>);

impl Ways {
    pub(crate) fn new(items: &Items, code: &[u8]) -> Ways {
        let mut ways = Ways(HashMap::new());
        for item in items.iter() {
            match item.kind {
                Kind::Branch { to, .. } => ways.add(to),
                Kind::Table => item.entries(code).for_each(|to| ways.add(to)),
                _ => {}
            }
        }
        ways
    }

    /// Whether one of them leads to one of these items.
    pub(crate) fn lead_to(&self, items: &[Item]) -> bool {
        items.iter().any(|item| self.0.contains_key(&item.name))
    }

    fn add(&mut self, name: u32) {
        *self.0.entry(name).or_default() += 1;
    }

    /// Leaves one out.
    pub(crate) fn remove(&mut self, name: u32) {
        if let Entry::Occupied(mut count) = self.0.entry(name) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    /// Lets one lead elsewhere.
    pub(crate) fn replace(&mut self, name: u32, by: u32) {
        self.remove(name);
        self.add(by);
    }
}
