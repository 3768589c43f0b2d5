//! Where the pieces of a function lie.
//!
//! Branches start out short, and grow where they do not reach; they never shrink, so that this ends. After [`ROUNDS`] all
//! that do not reach are long at once, and those that then do not either. Inner loops have `nop`s before them
//! (`loop_alignment.rs`); constants keep their place modulo the function's alignment.

use super::effects::Flow;
use super::pieces::{Item, Items, Kind};
use crate::codegen::CodeRange;
use crate::x86::steps::loop_alignment::Loop;

/// Bytes of a branch whose distance is one byte.
pub(crate) const SHORT: u32 = 2;

/// Bytes of a branch whose distance is 4 bytes.
pub(crate) fn long(condition: Option<u8>) -> u32 {
    if condition.is_some() { 6 } else { 5 }
}

/// How often branches grow before all do.
const ROUNDS: usize = 16;

/// Where everything is.
pub(crate) struct Placed {
    /// Where each item starts.
    pub(crate) starts: Vec<u32>,
    /// How long it is.
    pub(crate) sizes: Vec<u32>,
    /// Bytes of it all.
    pub(crate) size: u32,
}

impl Placed {
    /// Finds it. Branches are short where they can be if `shortens`.
    pub(crate) fn new(items: &Items, loops: &[Loop], align: u32, shortens: bool) -> Placed {
        let size = |item: &Item| match &item.kind {
            Kind::Short(bytes) => bytes.bytes().len() as u32,
            Kind::Branch { .. } if shortens => SHORT,
            _ => item.size,
        };
        let sizes = items.iter().map(size).collect();
        let mut placed = Placed { starts: vec![0; items.len()], sizes, size: 0 };
        // The items that branches lead to.
        let to: Vec<usize> = items
            .iter()
            .map(|item| match item.kind {
                Kind::Branch { to, .. } => items.index_of(to).unwrap_or(usize::MAX),
                _ => usize::MAX,
            })
            .collect();
        for round in 0.. {
            placed.place(items, loops, align);
            if !placed.grow(items, &to, round >= ROUNDS) {
                break;
            }
        }
        placed
    }

    /// Gives all items their places.
    fn place(&mut self, items: &Items, loops: &[Loop], align: u32) {
        let mut loops = loops.iter().peekable();
        let mut at = 0;
        for (index, item) in items.iter().enumerate() {
            while let Some(inner) = loops.next_if(|inner| inner.items.start <= index) {
                if inner.items.start == index {
                    at += inner.nops(at, &self.sizes);
                }
            }
            if matches!(item.kind, Kind::Data) && align > 0 {
                at += (item.name % align + align - at % align) % align;
            }
            self.starts[index] = at;
            at += self.sizes[index];
        }
        self.size = at;
    }

    /// Makes branches long that do not reach, and says whether there are any; with `all`, all branches if so.
    fn grow(&mut self, items: &Items, to: &[usize], all: bool) -> bool {
        let mut has_grown = false;
        for (index, item) in items.iter().enumerate() {
            let Kind::Branch { condition, .. } = item.kind else { continue };
            let Some(&target) = self.starts.get(to[index]) else { continue };
            let end = self.starts[index] + self.sizes[index];
            let reaches = i8::try_from(i64::from(target) - i64::from(end)).is_ok();
            if self.sizes[index] == SHORT && !reaches {
                self.sizes[index] = long(condition);
                has_grown = true;
            }
        }
        if has_grown && all {
            for (size, item) in self.sizes.iter_mut().zip(items.iter()) {
                if let Kind::Branch { condition, .. } = item.kind {
                    *size = long(condition);
                }
            }
        }
        has_grown
    }

    /// Where what started at an offset starts now.
    pub(crate) fn at(&self, items: &Items, offset: u32) -> Option<u32> {
        items.index_of(offset).map(|index| self.starts[index])
    }

    /// Where what an address refers to is now: a jump table, or one of the constants.
    pub(crate) fn data(&self, items: &Items, offset: u32) -> Option<u32> {
        let index = items.containing(offset)?;
        match items[index].kind {
            Kind::Table => self.at(items, offset),
            Kind::Data => Some(self.starts[index] + (offset - items[index].name)),
            _ => None,
        }
    }

    /// Where instructions end, and constants begin, or what aligns them.
    pub(crate) fn end_of_code(&self, items: &Items) -> u32 {
        let last = items.iter().rposition(|item| !matches!(item.kind, Kind::Data));
        last.map_or(0, |last| self.starts[last] + self.sizes[last])
    }

    /// Where what ended at an offset ends now.
    pub(crate) fn end(&self, items: &Items, offset: u32) -> Option<u32> {
        if offset == 0 {
            return Some(0);
        }
        let index = items.containing(offset - 1)?;
        let item = &items[index];
        (item.end() == offset).then(|| self.starts[index] + self.sizes[index])
    }

    /// Where a byte is now that is in an item whose bytes are as they were.
    pub(crate) fn inside(&self, items: &Items, offset: u32) -> Option<u32> {
        let index = items.containing(offset)?;
        let is_same = matches!(items[index].kind, Kind::Plain | Kind::Data);
        is_same.then(|| self.starts[index] + (offset - items[index].name))
    }

    /// Where blocks start that were not there: what branches lead to, and what control does not run into.
    pub(crate) fn new_blocks(&self, items: &Items) -> Vec<u32> {
        let targets = items.iter().filter_map(|item| match item.kind {
            Kind::Branch { to, .. } if to >= items.size() => items.index_of(to),
            _ => None,
        });
        let is_left = |item: &Item| {
            let is_jump = matches!(item.kind, Kind::Branch { condition: None, .. } | Kind::Table);
            is_jump
                || !matches!(item.kind, Kind::Branch { .. }) && !matches!(item.uses.flow, Flow::Next | Flow::Call)
        };
        let there: Vec<usize> = (0..items.len()).filter(|&index| self.sizes[index] > 0).collect();
        let apart = there.windows(2).filter(|pair| is_left(&items[pair[0]]) && !items[pair[1]].is_data());
        targets.chain(apart.map(|pair| pair[1])).map(|index| self.starts[index]).collect()
    }

    /// Where the source locations of what was there hold now.
    pub(crate) fn locations(&self, items: &Items, old: &[CodeRange]) -> Vec<CodeRange> {
        let mut locations: Vec<CodeRange> = Vec::with_capacity(old.len());
        for (index, item) in items.iter().enumerate().filter(|(index, _)| self.sizes[*index] > 0) {
            let behind = old.partition_point(|range| range.start <= item.name);
            let Some(range) = behind.checked_sub(1).map(|at| &old[at]).filter(|range| item.name < range.end) else {
                continue;
            };
            let (start, end) = (self.starts[index], self.starts[index] + self.sizes[index]);
            match locations.last_mut() {
                Some(last) if last.end == start && last.offset == range.offset => last.end = end,
                _ => locations.push(CodeRange { start, end, offset: range.offset }),
            }
        }
        locations
    }

    /// Where `nop`s start that control does not run into.
    pub(crate) fn nops_apart(&self, items: &Items) -> Vec<u32> {
        let ends = self.starts.iter().zip(&self.sizes).map(|(start, size)| start + size);
        let starts = self.starts.iter().zip(items.iter()).skip(1);
        let apart = ends.zip(starts).filter(|(end, (start, item))| end < start && !matches!(item.kind, Kind::Data));
        apart.map(|(end, _)| end).collect()
    }
}
