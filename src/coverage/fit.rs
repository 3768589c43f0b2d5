//! Which functions of a program a profile fits, and what they are told.
//!
//! In: a program, the graphs of what is translated of it, a profile. Out: [`Frequencies`], and a warning that names the functions which
//! are in the profile and have changed since: they are translated without. The rule: a function fits one of its name and its digest, of
//! several the next one that has not fitted yet.

use std::collections::HashMap;

use super::digest::digest;
use super::instrument::number_of;
use crate::graph::Graph;
use crate::profile::{FunctionProfile, Profile};
use crate::program::Program;
use crate::program::frequencies::{BlockFrequency, Frequencies, FunctionFrequencies};
use crate::warning::{Warning, WarningKind};

/// How many functions a warning names.
const MOST_NAMED: usize = 8;

/// What a profile says of these functions, and what it does not say.
pub(crate) fn fit(program: &Program, graphs: &[Graph], profile: &Profile) -> (Frequencies, Option<Warning>) {
    let mut by_name: HashMap<&str, Vec<Option<&FunctionProfile>>> = HashMap::new();
    for function in &profile.functions {
        by_name.entry(&function.name).or_default().push(Some(function));
    }
    let mut frequencies = Frequencies::default();
    let mut changed: Vec<&str> = Vec::new();
    for graph in graphs.iter().filter(|graph| !program.is_runtime_function(graph.function)) {
        let name = &*program.functions[graph.function].name;
        let Some(candidates) = by_name.get_mut(name) else { continue };
        let digest = digest(program, graph);
        let is_it = |candidate: &&mut Option<&FunctionProfile>| candidate.is_some_and(|one| one.digest == digest);
        let found = candidates.iter_mut().find(is_it).and_then(Option::take);
        match found.and_then(|profile| fitted(program, graph, profile)) {
            Some(fitted) => {
                frequencies.functions.insert(graph.function, fitted);
            }
            None => changed.push(name),
        }
    }
    let warning = warning(&changed, frequencies.functions.is_empty());
    (frequencies, warning)
}

/// What a profile says of a function, if its blocks are those.
fn fitted(program: &Program, graph: &Graph, profile: &FunctionProfile) -> Option<FunctionFrequencies> {
    let blocks = graph.blocks.iter().zip(&profile.blocks).map(|(block, counted)| {
        let outcomes = Some(block.terminator.outcomes().len()).filter(|&outcomes| outcomes > 1).unwrap_or(0);
        let is_same = counted.start == number_of(program, graph, block) && counted.outcomes.len() == outcomes;
        let instructions = graph.instructions_of(block);
        Some(BlockFrequency {
            start: instructions.first()?.offset,
            last: instructions.last()?.offset,
            count: counted.count,
            outcomes: counted.outcomes.clone(),
        })
        .filter(|_| is_same)
    });
    let blocks = blocks.collect::<Option<Vec<_>>>()?;
    (blocks.len() == graph.blocks.len() && blocks.len() == profile.blocks.len())
        .then_some(FunctionFrequencies { calls: profile.calls, blocks })
}

fn warning(changed: &[&str], is_empty: bool) -> Option<Warning> {
    let named: Vec<String> = changed.iter().take(MOST_NAMED).map(|name| format!("`{name}`")).collect();
    let more = match changed.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let text = match (changed.is_empty(), is_empty) {
        (true, false) => return None,
        (true, true) => {
            "the profile has no function of this program: make one with `--profile-generate`".to_owned()
        }
        (false, _) => format!(
            "the profile is of another version of {}{more}, and is not used there: make it again with \
             `--profile-generate`",
            named.join(", ")
        ),
    };
    Some(Warning::new(WarningKind::Profile, text))
}
