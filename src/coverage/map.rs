//! From counters to coverage and profiles: which counters say how often a function, a line, a branch, a block ran.
//!
//! In: the map that `instrument.rs` makes of a program. Out: [`Coverage`] and [`Profile`], of the counters' values.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::model::{BranchCount, Coverage, FileCoverage, FunctionCount, LineCount};
use crate::profile::{BlockProfile, FunctionProfile, Profile};

/// How often something ran: what one of these says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Count {
    /// A counter of the program.
    Counter(u32),
    /// A value that follows from others: one of [`CoverageMap::derived`].
    Derived(u32),
}

/// A term of a derived value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) count: Count,
    pub(super) is_subtracted: bool,
}

/// The values of counters, and of what follows from them.
struct Values(Vec<u64>);

impl Values {
    fn new(map: &CoverageMap, counters: &[u64]) -> Values {
        let mut values = Values(counters.to_vec());
        values.0.resize(map.counters, 0);
        for terms in &map.derived {
            let sum = terms.iter().fold(0_u64, |sum, term| match (values.0[map.index(term.count)], term) {
                (value, Term { is_subtracted: false, .. }) => sum.wrapping_add(value),
                (value, _) => sum.wrapping_sub(value),
            });
            values.0.push(sum);
        }
        values
    }

    fn of(&self, map: &CoverageMap, count: Count) -> u64 {
        // Threads that count at once may lose some, and then a difference may be below zero.
        let value = self.0[map.index(count)];
        if value.cast_signed() < 0 { 0 } else { value }
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

/// A function, for a profile.
#[derive(Clone, Debug)]
pub(super) struct MappedProfile {
    pub(super) name: String,
    pub(super) digest: u64,
    pub(super) calls: Count,
    pub(super) blocks: Vec<MappedBlock>,
}

/// A block of it.
#[derive(Clone, Debug)]
pub(super) struct MappedBlock {
    /// Its first instruction, from the function's start on.
    pub(super) start: u64,
    pub(super) count: Count,
    /// Its ways out, if there are several.
    pub(super) outcomes: Vec<Count>,
}

/// What the counters of a program mean.
#[derive(Clone, Debug, Default)]
pub(crate) struct CoverageMap {
    /// How many counters there are.
    pub(super) counters: usize,
    /// Values that follow from counters and from the derived values before them.
    pub(super) derived: Vec<Vec<Term>>,
    pub(super) functions: Vec<MappedFunction>,
    pub(super) lines: Vec<MappedLine>,
    /// Branches, in the order of the program, which numbers those of a line.
    pub(super) branches: Vec<MappedBranch>,
    /// What is wanted for a profile, in the order of the program.
    pub(super) profiles: Vec<MappedProfile>,
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

    /// The place of a value among the counters and the derived values, which follow them.
    pub(super) fn index(&self, count: Count) -> usize {
        match count {
            Count::Counter(counter) => counter as usize,
            Count::Derived(derived) => self.counters + derived as usize,
        }
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
        let values = Values::new(self, counters);
        let value = |count| values.of(self, count);
        let finished = self.files().into_iter().map(|(name, file)| finish(name, file, &value));
        Coverage { files: finished.collect() }
    }

    /// The profile that these values of the counters mean.
    pub(crate) fn profile(&self, counters: &[u64]) -> Profile {
        let values = Values::new(self, counters);
        let value = |&count: &Count| values.of(self, count);
        let block = |MappedBlock { start, count, outcomes }: &MappedBlock| BlockProfile {
            start: *start,
            count: value(count),
            outcomes: outcomes.iter().map(value).collect(),
        };
        let function = |MappedProfile { name, digest, calls, blocks }: &MappedProfile| FunctionProfile {
            name: name.clone(),
            digest: *digest,
            calls: value(calls),
            blocks: blocks.iter().map(block).collect(),
        };
        let mut profile = Profile::default();
        profile.functions.extend(self.profiles.iter().map(function));
        profile
    }
}

fn finish(name: &str, File { functions, lines, branches }: File, value: &impl Fn(Count) -> u64) -> FileCoverage {
    let most = |group: &Vec<Count>| group.iter().map(|&count| value(count)).max().unwrap_or(0);
    let sum = |groups: Vec<Vec<Count>>| groups.iter().map(most).fold(0, u64::saturating_add);
    let values = |outcomes: Vec<Count>| outcomes.into_iter().map(value).collect();
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
