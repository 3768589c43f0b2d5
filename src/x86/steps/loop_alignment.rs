//! Loop alignment: `nop`s before innermost loops.
//!
//! A loop takes up to twice as long where a branch of it crosses a boundary of 32 bytes, or where it touches one cache line
//! more than it needs. In: fragments. Out: the innermost loops, each with what a crossing costs; how many bytes of `nop` go
//! before one is computed from where it would start (`../code/alignment.rs`).
//!
//! The rule: a crossing counts [`NESTING_BITS`] bits more for each loop around it. Loops of more than [`MAX_FRAGMENTS`] are
//! not aligned.
//!
//! Tried, and not kept: functions aligned to 32 or 64 bytes, and no more (as fast on the whole: each loop lies somewhere
//! else); `nop`s behind the prologue only (programs of several loops took up to 1.2 times as long).

use std::ops::Range;

use crate::x86::code::alignment::AlignedLoop;
use crate::x86::code::fragments::{Fragment, FragmentKind, Fragments};

/// Binary logarithm of how much more a loop counts than the one around it.
const NESTING_BITS: u32 = 3;

/// Loops that are nested deeper count as at this depth.
const MAX_NESTING: usize = 6;

/// What a crossing in an outermost loop costs, in bytes of `nop`.
const CROSSING: u32 = 10;

/// Loops of more fragments are left alone: they take so many lines that one more does not matter.
const MAX_FRAGMENTS: usize = 128;

/// Finds the innermost loops, in order. A loop here is what lies between a fragment and the last branch back to it.
pub(crate) fn loops(fragments: &Fragments) -> Vec<AlignedLoop> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (index, fragment) in fragments.iter().enumerate() {
        if let FragmentKind::Branch { to, .. } = fragment.kind
            && let Some(start) = fragments.index_of(to).filter(|&start| start <= index)
        {
            found.push((start, index + 1));
        }
    }
    found.sort_by_key(|&(start, end)| (start, std::cmp::Reverse(end)));
    let mut loops: Vec<FoundLoop> = Vec::new();
    // The loops around a fragment, by index.
    let mut around: Vec<usize> = Vec::new();
    for (start, end) in found {
        while around.pop_if(|&mut outer| loops[outer].end <= start).is_some() {}
        match around.last() {
            // The last of several back edges to a fragment ends the loop; loops that overlap are one.
            Some(&last) if loops[last].start == start || loops[last].end < end => {
                let shorter = around.iter().rev().take_while(|&&outer| loops[outer].end < end);
                let shorter: Vec<usize> = shorter.copied().collect();
                shorter.into_iter().for_each(|outer| loops[outer].end = end);
            }
            _ => {
                if let Some(&last) = around.last() {
                    loops[last].is_inner = false;
                }
                loops.push(FoundLoop { start, end, depth: around.len(), is_inner: true });
                around.push(loops.len() - 1);
            }
        }
    }
    let inner = loops.into_iter().filter(|found| found.is_inner);
    inner.filter_map(|found| aligned_loop(fragments, found.start..found.end, found.depth)).collect()
}

/// A loop, by its fragments.
struct FoundLoop {
    start: usize,
    end: usize,
    /// How many loops are around it.
    depth: usize,
    /// Whether no loop is in it.
    is_inner: bool,
}

/// The loop of these fragments, unless it is too large or has data in it.
fn aligned_loop(fragments: &Fragments, range: Range<usize>, depth: usize) -> Option<AlignedLoop> {
    if range.len() > MAX_FRAGMENTS || fragments[range.clone()].iter().any(Fragment::is_data) {
        return None;
    }
    let branch = |at: usize| match fragments[at].kind {
        // The processor fuses a comparison with the branch behind it.
        FragmentKind::Branch { condition: Some(_), .. } if at > range.start => Some(at - 1..at + 1),
        FragmentKind::Branch { .. } => Some(at..at + 1),
        _ => None,
    };
    let branches = range.clone().filter_map(branch).collect();
    let weight = CROSSING << (NESTING_BITS * depth.min(MAX_NESTING) as u32);
    Some(AlignedLoop { fragments: range, branches, weight })
}
