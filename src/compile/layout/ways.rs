//! The ways that control takes, but from an instruction to the next one.

use super::items::{Item, Items, Kind};

/// What branches and jump tables lead to, by name, in order.
pub(super) struct Ways(Vec<u32>);

impl Ways {
    pub(super) fn new(items: &Items, code: &[u8]) -> Ways {
        let mut ways = Vec::new();
        for item in items.iter() {
            match item.kind {
                Kind::Branch { to, .. } => ways.push(to),
                Kind::Table => ways.extend(item.entries(code)),
                _ => {}
            }
        }
        ways.sort_unstable();
        Ways(ways)
    }

    /// Whether one of them leads to one of these items.
    pub(super) fn lead_to(&self, items: &[Item]) -> bool {
        items.iter().any(|item| self.0.binary_search(&item.name).is_ok())
    }

    /// Leaves one out.
    pub(super) fn remove(&mut self, name: u32) {
        if let Ok(index) = self.0.binary_search(&name) {
            self.0.remove(index);
        }
    }

    /// Lets one lead elsewhere.
    pub(super) fn replace(&mut self, name: u32, by: u32) {
        self.remove(name);
        let index = self.0.partition_point(|&to| to < by);
        self.0.insert(index, by);
    }
}
