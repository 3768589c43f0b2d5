//! How often blocks of machine code ran, by a profile.
//!
//! In: where machine code comes from, and how often that ran ([`FunctionFrequencies`]). Out: [`Measured`]: counts of a fragment and of
//! the branch that it is. Only functions that loop are measured: where a function is called as often as its blocks run, what counts is
//! which exits come before its frame is set up (`steps/frame/`), and an order by counts made `ackermann` take 1.3 times as long. Code that moved has the label of where it was, so its location is still found.

use super::fragments::Fragment;
use crate::codegen::compiled::CodeRange;
use crate::program::frequencies::FunctionFrequencies;

/// What is known of a function's runs.
#[derive(Clone, Copy)]
pub(crate) struct Measured<'a> {
    pub(crate) frequencies: &'a FunctionFrequencies,
    /// In the order of the code.
    pub(crate) locations: &'a [CodeRange],
}

/// How often something ran, and of which BPF instruction that is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) offset: u64,
    pub(crate) count: u64,
}

impl Measured<'_> {
    /// How often a fragment ran.
    pub(crate) fn run(&self, fragment: &Fragment) -> Option<Run> {
        let after = self.locations.partition_point(|range| range.start <= fragment.label);
        let range = self.locations.get(after.checked_sub(1)?).filter(|range| fragment.label < range.end)?;
        Some(Run { offset: range.offset, count: self.frequencies.at(range.offset)? })
    }

    /// How often the function was called, at least once.
    pub(crate) fn calls(&self) -> f64 {
        self.frequencies.calls.max(1) as f64
    }

    /// The shares of a BPF branch's ways, in either order.
    pub(crate) fn shares(&self, offset: u64) -> Option<[f64; 2]> {
        let ways = self.frequencies.branch_at(offset)?.map(|count| count as f64);
        let sum = ways[0] + ways[1];
        (sum > 0.0).then(|| ways.map(|way| way / sum))
    }
}
