//! Where inner loops lie in the lines of the processor's cache.
//!
//! A loop takes up to twice as long where a branch of it crosses a boundary of 32 bytes, or where it lies in a line more than
//! it needs. In: the code. Out: loops with no loop inside, and for each of
//! them, from where it would start, how many bytes of `nop` to put before it.
//!
//! The rule: of up to [`MOST`], as many as let branches cross the fewest boundaries and the loop take the fewest lines, each
//! counted [`INNER`] bits more for each loop around it; a byte of `nop` costs a little too.
//!
//! Tried, and not kept: functions aligned to 32 or 64 bytes, and no more (as fast on the whole: each loop lies somewhere
//! else); `nop`s behind the prologue only (programs of several loops took up to 1.2 times as long).

use std::ops::Range;

use crate::x86::LINE;
use crate::x86::code::pieces::{Item, Items, Kind};

/// Bytes that the processor fetches at once.
const FETCH: u32 = 32;

/// `nop`s are fewer bytes than this: with so many, a loop starts where a line does.
const MOST: u32 = LINE;

/// Binary logarithm of how much more an inner loop counts than what is around it.
const INNER: u32 = 3;

/// Loops in more loops count as those in so many.
const DEEPEST: usize = 6;

/// What a crossing in a loop counts, in bytes of `nop`.
const CROSSING: u32 = 10;

/// Loops of more items are left alone: they take so many lines that one more is nothing.
const LARGEST: usize = 128;

/// A loop with no loop inside.
pub(crate) struct Loop {
    /// Its items.
    pub(crate) items: Range<usize>,
    /// The items of it that are branches, with what is one operation with them.
    branches: Vec<Range<usize>>,
    /// What a crossing counts.
    weight: u32,
}

impl Loop {
    /// How many bytes of `nop` go before it if it would start at `at`.
    pub(crate) fn nops(&self, at: u32, sizes: &[u32]) -> u32 {
        let mut ends: Vec<u32> = Vec::with_capacity(self.items.len() + 1);
        ends.push(0);
        let mut end = 0;
        for &size in &sizes[self.items.clone()] {
            end += size;
            ends.push(end);
        }
        if end == 0 {
            return 0;
        }
        let place = |item: usize| ends[item - self.items.start];
        let whole = (0, end, LINE);
        let branches = self.branches.iter().map(|range| (place(range.start), place(range.end), FETCH));
        let pieces: Vec<(u32, u32, u32)> = std::iter::once(whole).chain(branches).collect();
        let crossings = |by: u32| -> u32 {
            pieces.iter().map(|&(start, end, unit)| (at + by + end - 1) / unit - (at + by + start) / unit).sum()
        };
        (0..MOST).min_by_key(|&by| crossings(by) * self.weight + by).unwrap_or(0)
    }
}

/// Finds them, in order: what lies between an item and the branches behind it that lead back to it.
pub(crate) fn loops(items: &Items) -> Vec<Loop> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if let Kind::Branch { to, .. } = item.kind
            && let Some(start) = items.index_of(to).filter(|&start| start <= index)
        {
            found.push((start, index + 1));
        }
    }
    found.sort_by_key(|&(start, end)| (start, std::cmp::Reverse(end)));
    let mut loops: Vec<Found> = Vec::new();
    // The loops around a place, by index.
    let mut around: Vec<usize> = Vec::new();
    for (start, end) in found {
        while around.pop_if(|&mut outer| loops[outer].end <= start).is_some() {}
        match around.last() {
            // Of several ways back to an item the last one makes the loop, and ways that cross make one loop together.
            Some(&last) if loops[last].start == start || loops[last].end < end => {
                let shorter = around.iter().rev().take_while(|&&outer| loops[outer].end < end);
                let shorter: Vec<usize> = shorter.copied().collect();
                shorter.into_iter().for_each(|outer| loops[outer].end = end);
            }
            _ => {
                if let Some(&last) = around.last() {
                    loops[last].is_inner = false;
                }
                loops.push(Found { start, end, depth: around.len(), is_inner: true });
                around.push(loops.len() - 1);
            }
        }
    }
    let inner = loops.into_iter().filter(|found| found.is_inner);
    inner.filter_map(|found| Loop::new(items, found.start..found.end, found.depth)).collect()
}

/// A loop, by its items.
struct Found {
    start: usize,
    end: usize,
    /// How many loops are around it.
    depth: usize,
    /// Whether none is in it.
    is_inner: bool,
}

impl Loop {
    fn new(items: &Items, range: Range<usize>, depth: usize) -> Option<Loop> {
        if range.len() > LARGEST || items[range.clone()].iter().any(Item::is_data) {
            return None;
        }
        let branch = |at: usize| match items[at].kind {
            // Comparisons are one operation with the branch behind them.
            Kind::Branch { condition: Some(_), .. } if at > range.start => Some(at - 1..at + 1),
            Kind::Branch { .. } => Some(at..at + 1),
            _ => None,
        };
        let branches = range.clone().filter_map(branch).collect();
        Some(Loop { items: range, branches, weight: CROSSING << (INNER * depth.min(DEEPEST) as u32) })
    }
}
