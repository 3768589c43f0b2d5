//! Counters in a program's code: which one is counted up where.
//!
//! In: nothing; `crate::coverage` makes them, and the lift phase puts them into code. The rule: counter `n` is the eight bytes at
//! `8 * n` of one data section, in the byte order of the program.

use std::collections::{BTreeMap, BTreeSet};

use super::{DataSectionId, FunctionId};

/// The counters of a program.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Counters {
    /// The section that holds them.
    pub(crate) section: DataSectionId,
    /// Those of each function that has some.
    pub(crate) functions: BTreeMap<FunctionId, FunctionCounters>,
}

/// The counters of a function; blocks are those of its graph, by index.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct FunctionCounters {
    /// Counts calls, where the first block counts more than those.
    pub(crate) entry: Option<u32>,
    /// For each block, what counts how often control enters it; none where another block's counter says it.
    pub(crate) blocks: Vec<Option<u32>>,
    /// What counts how often a block ends with one of its outcomes: by block and outcome.
    pub(crate) outcomes: BTreeMap<(usize, usize), u32>,
    /// What counts how often control comes back from an instruction: by its byte offset in the code section.
    pub(crate) after: BTreeMap<u64, u32>,
    /// Loops that do not overlap. What is counted in one may be added to its counter where control leaves the loop.
    pub(crate) loops: Vec<CountedLoop>,
}

/// A loop that is counted in registers.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct CountedLoop {
    pub(crate) blocks: BTreeSet<usize>,
    /// The counters of what stays in the loop that are counted so; for some, a register that tells it by itself.
    pub(crate) counters: BTreeMap<u32, Option<Stride>>,
}

/// A register that changes by the same amount each time that a block runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stride {
    /// Its number.
    pub(crate) register: u8,
    /// The amount: a power of two, or the negative of one.
    pub(crate) by: i64,
    /// Whether it is the low half alone that changes so, modulo 2^32; the amount is 1 or -1 then.
    pub(crate) is_narrow: bool,
    /// How often the block runs at least before control leaves the loop.
    pub(crate) least: u8,
}

impl FunctionCounters {
    /// Whether something is counted where a block starts, or on an edge out of it.
    pub(crate) fn counts_block(&self, block: usize) -> bool {
        self.blocks.get(block).is_some_and(Option::is_some) || self.counts_outcomes(block)
    }

    /// Whether something is counted on an edge out of a block.
    pub(crate) fn counts_outcomes(&self, block: usize) -> bool {
        self.outcomes.range((block, 0)..=(block, usize::MAX)).next().is_some()
    }
}

/// The size of a counter in bytes.
pub(crate) const COUNTER: u64 = 8;
