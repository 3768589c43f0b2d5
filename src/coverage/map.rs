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

/// What counters say of a source file: a number is the sum, over functions, of the largest count of each.
#[derive(Default)]
pub(super) struct File {
    pub(super) functions: BTreeMap<(u32, String), Vec<Vec<Count>>>,
    pub(super) lines: BTreeMap<u32, Vec<Vec<Count>>>,
    /// By line; a branch is known by its number.
    pub(super) branches: BTreeMap<u32, Vec<Vec<Count>>>,
}

impl CoverageMap {
    /// How many counters there are.
    pub(crate) fn counters(&self) -> usize {
        self.counters
    }

    /// The source files, by name.
    pub(super) fn files(&self) -> BTreeMap<&str, File> {
        let mut files: BTreeMap<&str, File> = BTreeMap::new();
        for MappedFunction { file, line, name, calls } in &self.functions {
            let functions = &mut files.entry(file).or_default().functions;
            functions.entry((*line, name.clone())).or_default().push(vec![*calls]);
        }
        for MappedLine { file, line, blocks } in &self.lines {
            files.entry(file).or_default().lines.entry(*line).or_default().push(blocks.clone());
        }
        for MappedBranch { file, line, outcomes } in &self.branches {
            files.entry(file).or_default().branches.entry(*line).or_default().push(outcomes.clone());
        }
        files
    }

    /// The coverage that these values of the counters mean.
    pub(crate) fn coverage(&self, counters: &[u64]) -> Coverage {
        let finished = self.files().into_iter().map(|(name, file)| finish(name, file, counters));
        Coverage { files: finished.collect() }
    }
}

fn finish(name: &str, File { functions, lines, branches }: File, counters: &[u64]) -> FileCoverage {
    let most = |group: &Vec<Count>| group.iter().map(|count| count.value(counters)).max().unwrap_or(0);
    let sum = |groups: Vec<Vec<Count>>| groups.iter().map(most).fold(0, u64::saturating_add);
    let values = |outcomes: Vec<Count>| outcomes.into_iter().map(|count| count.value(counters)).collect();
    let branches = branches.into_iter().flat_map(|(line, of_line)| {
        (0..).zip(of_line).map(move |(number, outcomes)| BranchCount { line, number, outcomes: values(outcomes) })
    });
    FileCoverage {
        name: name.to_owned(),
        functions: functions
            .into_iter()
            .map(|((line, name), groups)| FunctionCount { line, name, count: sum(groups) })
            .collect(),
        lines: lines.into_iter().map(|(line, groups)| LineCount { line, count: sum(groups) }).collect(),
        branches: branches.collect(),
    }
}
