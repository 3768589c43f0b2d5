//! What a pass over CLIF says of itself, and what it is given.
//!
//! In: a row of the pipeline. Out: [`ClifPass`], [`PassContext`]. The rule: all passes have one signature; one that changes
//! blocks or edges says so in its row, and drops the analyses when it does ([`Analyses::changed`]).

use cranelift_codegen::ir::Function;

use super::constants::Constants;
use super::ir::analyses::Analyses;
use crate::config::{Need, Pass, Passes, TargetFacts};

/// A pass, as a row of the pipeline.
pub(crate) struct ClifPass {
    /// What it is called where it is shown.
    pub(crate) name: &'static str,
    /// Its switches, and what the target must have for each. It runs if one of them is on.
    pub(crate) switches: &'static [(Pass, &'static [Need])],
    /// The analyses that it asks for.
    pub(crate) analyses: &'static [Analysis],
    /// Whether blocks and edges stay as they are.
    pub(crate) keeps_cfg: bool,
    /// What runs before it if it is on, and why.
    pub(crate) after: &'static [(Pass, &'static str)],
    /// Runs it.
    pub(crate) run: fn(&mut Function, &mut PassContext<'_>),
}

impl ClifPass {
    /// Those of its switches that are on, and that the target has all for.
    pub(crate) fn enabled(&self, passes: Passes, facts: &TargetFacts) -> Passes {
        let is_on =
            |&&(pass, needs): &&(Pass, &[Need])| passes.contains(pass) && needs.iter().all(|&need| facts.has(need));
        self.switches.iter().filter(is_on).fold(Passes::NONE, |on, &(pass, _)| on.with(pass))
    }
}

/// An analysis that is kept while the control-flow graph stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Analysis {
    /// Which blocks lead to a block.
    Predecessors,
    /// Which blocks all ways to a block go through.
    Dominators,
    /// Which blocks form loops.
    Loops,
}

impl Analysis {
    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Analysis::Predecessors => "predecessors",
            Analysis::Dominators => "dominators",
            Analysis::Loops => "loops",
        }
    }
}

/// What a pass is given beside the function.
pub(crate) struct PassContext<'c> {
    /// What is known of the target.
    pub(crate) facts: TargetFacts,
    /// The program's constant data.
    pub(crate) constants: &'c Constants<'c>,
    /// Those of its switches that are on.
    pub(crate) on: Passes,
    /// What is known of the function's control flow.
    pub(crate) analyses: Analyses<'c>,
}
