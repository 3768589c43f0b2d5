//! Which fragment a label is of.
//!
//! In: the range of Cranelift's code that each fragment stands for, in the fragments' order. Out: the index of the fragment
//! that a label or a byte belongs to, in constant time. The rule: labels below the size of the code are offsets in it;
//! those from there on belong to fragments that were added, and are dense. Of an instruction only the first byte is noted,
//! of data, which may be longer than any instruction, all bytes.

use std::ops::Range;

/// The index of no fragment.
const NONE: u32 = u32::MAX;

/// The longest instruction.
const LONGEST: u32 = 15;

#[derive(Clone, Default)]
pub(crate) struct Labels {
    /// For each byte of the code, the index of the fragment that stands for it, if it is noted.
    by_offset: Vec<u32>,
    /// For each label from the end of the code on, the index of its fragment.
    added: Vec<u32>,
}

impl Labels {
    /// Of code of `size` bytes.
    pub(crate) fn new(ranges: impl Iterator<Item = Range<u32>>, size: u32) -> Labels {
        let mut labels = Labels { by_offset: vec![NONE; size as usize], added: Vec::new() };
        for (range, index) in ranges.zip(0..) {
            let Some(added) = range.start.checked_sub(size) else {
                if range.end - range.start > LONGEST {
                    labels.by_offset[range.start as usize..range.end as usize].fill(index);
                } else {
                    labels.by_offset[range.start as usize] = index;
                }
                continue;
            };
            let added = added as usize;
            if added >= labels.added.len() {
                labels.added.resize(added + 1, NONE);
            }
            labels.added[added] = index;
        }
        labels
    }

    /// The index of the fragment with a label; also of data, of any byte of it.
    pub(crate) fn index(&self, label: u32) -> Option<usize> {
        let index = match label.checked_sub(self.size()) {
            None => self.by_offset.get(label as usize),
            Some(added) => self.added.get(added as usize),
        };
        index.filter(|&&index| index != NONE).map(|&index| index as usize)
    }

    /// The index of the last fragment that starts at a byte of the code or before it, if it may reach as far.
    pub(crate) fn around(&self, offset: u32) -> Option<usize> {
        (offset.saturating_sub(LONGEST - 1)..=offset).rev().find_map(|offset| self.index(offset))
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
