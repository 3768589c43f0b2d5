//! What ran, and how often: by source file, functions, lines and branches.
//!
//! In: counts ([`super::map`]), or serialised coverage. Out: [`Coverage`], which can be merged, serialised and written as lcov. The
//! rule: everything is sorted, and each key is there once, so the same counts make the same bytes.

use std::collections::BTreeMap;

/// What ran of a program, by source file.
///
/// It is serialisable (feature `compare`), so that processes can hand theirs to one that merges them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "compare", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Coverage {
    /// The source files, sorted by name.
    pub files: Vec<FileCoverage>,
}

/// What ran of a source file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "compare", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct FileCoverage {
    /// Its name, as the compiler recorded it.
    pub name: String,
    /// Functions that begin in it, sorted by line and name.
    pub functions: Vec<FunctionCount>,
    /// Lines that have code, in order.
    pub lines: Vec<LineCount>,
    /// Conditional branches, by line.
    pub branches: Vec<BranchCount>,
}

/// How often a function was called.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "compare", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct FunctionCount {
    /// The line of its first instruction.
    pub line: u32,
    /// Its name.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// How often a line ran.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "compare", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct LineCount {
    /// The line, counted from 1.
    pub line: u32,
    /// How often: of the blocks of one function that have instructions of it, the one that ran most often; and the sum over
    /// functions.
    pub count: u64,
}

/// How often a branch went which way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "compare", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BranchCount {
    /// Its line.
    pub line: u32,
    /// Its number among the branches of that line.
    pub number: u32,
    /// How often each outcome came about: of a conditional jump of the BPF code, that it jumped, and that it did not; of a jump
    /// table, each target.
    pub outcomes: Vec<u64>,
}

impl Coverage {
    /// Adds what another run, or another program, covered.
    pub fn merge(&mut self, other: &Coverage) {
        let mut files: BTreeMap<String, FileCoverage> =
            std::mem::take(&mut self.files).into_iter().map(|file| (file.name.clone(), file)).collect();
        for other in &other.files {
            let empty = || FileCoverage { name: other.name.clone(), ..FileCoverage::default() };
            files.entry(other.name.clone()).or_insert_with(empty).merge(other);
        }
        self.files = files.into_values().collect();
    }
}

impl FileCoverage {
    fn merge(&mut self, other: &FileCoverage) {
        let functions = self.functions.iter().chain(&other.functions);
        let mut counts: BTreeMap<(u32, &str), u64> = BTreeMap::new();
        for FunctionCount { line, name, count } in functions {
            add(counts.entry((*line, name)).or_default(), *count);
        }
        let named =
            |((line, name), count): ((u32, &str), u64)| FunctionCount { line, name: name.to_owned(), count };
        self.functions = counts.into_iter().map(named).collect();

        let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
        for LineCount { line, count } in self.lines.iter().chain(&other.lines) {
            add(counts.entry(*line).or_default(), *count);
        }
        self.lines = counts.into_iter().map(|(line, count)| LineCount { line, count }).collect();

        let mut counts: BTreeMap<(u32, u32), Vec<u64>> = BTreeMap::new();
        for BranchCount { line, number, outcomes } in self.branches.iter().chain(&other.branches) {
            let sums = counts.entry((*line, *number)).or_default();
            sums.resize(sums.len().max(outcomes.len()), 0);
            sums.iter_mut().zip(outcomes).for_each(|(sum, count)| add(sum, *count));
        }
        let branch = |((line, number), outcomes)| BranchCount { line, number, outcomes };
        self.branches = counts.into_iter().map(branch).collect();
    }
}

/// Adds to a count; what is as large as can be stays so.
fn add(sum: &mut u64, count: u64) {
    *sum = sum.saturating_add(count);
}
