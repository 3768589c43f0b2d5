//! Loops that are aligned, and how many bytes of `nop` that takes.
//!
//! In: what `../steps/loop_alignment.rs` found, and where a loop would start. Out: the bytes before it. The rule: of up to a
//! cache line, as many as let branches cross the fewest fetch boundaries and the loop take the fewest lines; a byte of `nop`
//! costs a little too.

use std::ops::Range;

/// Bytes in a line of the cache: what a function with aligned loops is aligned to. With that many bytes of `nop`, a loop
/// would start at the same place in the next line.
pub(crate) const CACHE_LINE: u32 = 64;

/// Bytes that the processor fetches at once.
const FETCH: u32 = 32;

/// An innermost loop.
pub(crate) struct AlignedLoop {
    /// Its fragments.
    pub(crate) fragments: Range<usize>,
    /// Those of its fragments that are branches, each with the comparison that is fused with it.
    pub(crate) branches: Vec<Range<usize>>,
    /// What a crossing costs, in bytes of `nop`.
    pub(crate) weight: u32,
}

impl AlignedLoop {
    /// How many bytes of `nop` go before it if it would start at `at`.
    pub(crate) fn nops(&self, at: u32, sizes: &[u32]) -> u32 {
        let mut ends: Vec<u32> = Vec::with_capacity(self.fragments.len() + 1);
        ends.push(0);
        let mut end = 0;
        for &size in &sizes[self.fragments.clone()] {
            end += size;
            ends.push(end);
        }
        if end == 0 {
            return 0;
        }
        let offset = |fragment: usize| ends[fragment - self.fragments.start];
        let whole = (0, end, CACHE_LINE);
        let branches = self.branches.iter().map(|range| (offset(range.start), offset(range.end), FETCH));
        let pieces: Vec<(u32, u32, u32)> = std::iter::once(whole).chain(branches).collect();
        let crossings = |by: u32| -> u32 {
            pieces.iter().map(|&(start, end, unit)| (at + by + end - 1) / unit - (at + by + start) / unit).sum()
        };
        let (mut best, mut least) = (0, u32::MAX);
        for by in 0..CACHE_LINE {
            // More bytes cost more by themselves.
            if by >= least {
                break;
            }
            let cost = crossings(by) * self.weight + by;
            if cost < least {
                (best, least) = (by, cost);
            }
        }
        best
    }
}
