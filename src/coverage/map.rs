//! From counters to coverage: which counters say how often a function, a line, a branch ran.
//!
//! In: the map that `instrument.rs` makes of a program. Out: [`Coverage`], of the counters' values.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::model::{BranchCount, Coverage, FileCoverage, FunctionCount, LineCount};

/// How often something ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Count {
    /// As often as a counter says.
    Counter(u32),
    /// As often as the first says, but for those that the second counts too.
    Difference(u32, u32),
}

impl Count {
    fn value(self, counters: &[u64]) -> u64 {
        let counter = |index: u32| counters.get(index as usize).copied().unwrap_or(0);
        match self {
            Count::Counter(index) => counter(index),
            // Threads that count at once may lose some.
            Count::Difference(all, some) => counter(all).saturating_sub(counter(some)),
        }
    }
}

/// A function of a source file.
#[derive(Clone, Debug)]
pub(super) struct MappedFunction {
    pub(super) file: Arc<str>,
    pub(super) line: u32,
    pub(super) name: String,
    pub(super) calls: Count,
}

/// The blocks of one function that have instructions of a line.
#[derive(Clone, Debug)]
pub(super) struct MappedLine {
    pub(super) file: Arc<str>,
    pub(super) line: u32,
    pub(super) blocks: Vec<Count>,
}

/// A branch.
#[derive(Clone, Debug)]
pub(super) struct MappedBranch {
    pub(super) file: Arc<str>,
    pub(super) line: u32,
    pub(super) outcomes: Vec<Count>,
}

/// What the counters of a program mean.
#[derive(Clone, Debug, Default)]
pub(crate) struct CoverageMap {
    /// How many counters there are.
    pub(super) counters: usize,
    pub(super) functions: Vec<MappedFunction>,
    pub(super) lines: Vec<MappedLine>,
    /// Branches, in the order of the program, which numbers those of a line.
    pub(super) branches: Vec<MappedBranch>,
}

/// A source file that is being put together.
#[derive(Default)]
struct File {
    functions: BTreeMap<(u32, String), u64>,
    lines: BTreeMap<u32, u64>,
    branches: BTreeMap<u32, Vec<Vec<u64>>>,
}

impl CoverageMap {
    /// How many counters there are.
    pub(crate) fn counters(&self) -> usize {
        self.counters
    }

    /// The coverage that these values of the counters mean.
    pub(crate) fn coverage(&self, counters: &[u64]) -> Coverage {
        let mut files: BTreeMap<&str, File> = BTreeMap::new();
        for MappedFunction { file, line, name, calls } in &self.functions {
            let count = files.entry(file).or_default().functions.entry((*line, name.clone())).or_default();
            *count = count.saturating_add(calls.value(counters));
        }
        for MappedLine { file, line, blocks } in &self.lines {
            let count = files.entry(file).or_default().lines.entry(*line).or_default();
            let most = blocks.iter().map(|block| block.value(counters)).max();
            *count = count.saturating_add(most.unwrap_or(0));
        }
        for MappedBranch { file, line, outcomes } in &self.branches {
            let branches = files.entry(file).or_default().branches.entry(*line).or_default();
            branches.push(outcomes.iter().map(|outcome| outcome.value(counters)).collect());
        }
        let finished = files.into_iter().map(|(name, file)| finish(name, file));
        Coverage { files: finished.collect() }
    }
}

fn finish(name: &str, File { functions, lines, branches }: File) -> FileCoverage {
    let function = |((line, name), count)| FunctionCount { line, name, count };
    let branches = branches.into_iter().flat_map(|(line, of_line)| {
        (0..).zip(of_line).map(move |(number, outcomes)| BranchCount { line, number, outcomes })
    });
    FileCoverage {
        name: name.to_owned(),
        functions: functions.into_iter().map(function).collect(),
        lines: lines.into_iter().map(|(line, count)| LineCount { line, count }).collect(),
        branches: branches.collect(),
    }
}
