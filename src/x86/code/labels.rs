//! Which fragment a label is of.
//!
//! In: the range of Cranelift's code that each fragment stands for, in the fragments' order. Out: the index of the fragment
//! that a label or a byte belongs to, in constant time. The rule: labels below the size of the code are offsets in it;
//! those from there on belong to fragments that were added, and are dense.

use std::ops::Range;

/// The index of no fragment.
const NONE: u32 = u32::MAX;

#[derive(Clone, Default)]
pub(crate) struct Labels {
    /// For each byte of the code, the index of the fragment that stands for it, or of the first one behind it.
    by_offset: Vec<u32>,
    /// For each label from the end of the code on, the index of its fragment.
    added: Vec<u32>,
}

impl Labels {
    /// Of code of `size` bytes.
    pub(crate) fn new(ranges: impl Iterator<Item = Range<u32>>, size: u32) -> Labels {
        let mut labels = Labels { by_offset: Vec::with_capacity(size as usize), added: Vec::new() };
        let mut own: Vec<(Range<u32>, u32)> = Vec::with_capacity(ranges.size_hint().0);
        for (range, index) in ranges.zip(0..) {
            let Some(added) = range.start.checked_sub(size) else {
                own.push((range, index));
                continue;
            };
            let added = added as usize;
            if added >= labels.added.len() {
                labels.added.resize(added + 1, NONE);
            }
            labels.added[added] = index;
        }
        // Usually they are in order already: only block placement moves them.
        own.sort_unstable_by_key(|(range, _)| range.start);
        for (range, index) in own {
            labels.by_offset.resize(range.end as usize, index);
        }
        labels.by_offset.resize(size as usize, NONE);
        labels
    }

    /// The index of the fragment that a label or a byte belongs to, or of the first one behind such a byte.
    pub(crate) fn index(&self, label: u32) -> Option<usize> {
        let index = match label.checked_sub(self.size()) {
            None => self.by_offset.get(label as usize),
            Some(added) => self.added.get(added as usize),
        };
        index.filter(|&&index| index != NONE).map(|&index| index as usize)
    }

    /// The first label that no fragment has, nor any that is greater.
    pub(crate) fn next(&self) -> u32 {
        self.size() + self.added.len() as u32
    }

    /// Bytes of the code.
    pub(crate) fn size(&self) -> u32 {
        self.by_offset.len() as u32
    }
}
