//! All passes, in the order in which they run: what `-Z help`, `--time`, `--emit clif --after` and `docs/passes.md` show.
//!
//! In: the tables that the phases run, `opt`'s over CLIF and the steps over machine code, and those of the plans,
//! which the lift phase follows. Out: [`Row`]s. The rule: nothing is said here that a phase does not do; a test compares the
//! order with that of [`Pass::ALL`].

use crate::config::Pass;
use crate::opt::PIPELINE;
pub use crate::opt::SEQUENCE_POINTS;
use crate::plan::PLANS;
use crate::times::Phase;
use crate::{aarch64, x86};

/// Where a pass works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Stage {
    /// On all graphs, when it is selected what is translated.
    Select,
    /// On a function's graph, before it is lifted.
    Plan,
    /// While it is lifted.
    Lift,
    /// On CLIF.
    Clif,
    /// In Cranelift.
    Cranelift,
    /// On machine code of x86-64.
    MachineCode,
    /// On machine code of aarch64.
    Aarch64Code,
}

impl Stage {
    /// All, in the order that they run.
    pub const ALL: [Stage; 7] = [
        Stage::Select,
        Stage::Plan,
        Stage::Lift,
        Stage::Clif,
        Stage::Cranelift,
        Stage::MachineCode,
        Stage::Aarch64Code,
    ];

    /// What its passes work on.
    pub const fn about(self) -> &'static str {
        match self {
            Stage::Select => "over graphs, when it is selected what is translated",
            Stage::Plan => "plans, made from the graph and followed by the lift phase",
            Stage::Lift => "while CLIF is made",
            Stage::Clif => "over CLIF",
            Stage::Cranelift => "in Cranelift, over CLIF",
            Stage::MachineCode => "over machine code (x86-64)",
            Stage::Aarch64Code => "over machine code (aarch64)",
        }
    }
}

/// What runs at once: a pass, or several that share one walk.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is called.
    pub name: &'static str,
    /// The passes in it, each with what it needs of the target.
    pub passes: Vec<(Pass, Vec<&'static str>)>,
    /// Where it works.
    pub stage: Stage,
    /// The analyses that it asks for.
    pub analyses: Vec<&'static str>,
    /// Whether the control-flow graph stays as it is; none where that is no question.
    pub keeps_cfg: Option<bool>,
    /// What runs before it if it is on, and why.
    pub after: Vec<(Pass, &'static str)>,
}

impl Row {
    /// The phase whose time its own is a part of; none where only that of the whole phase is measured.
    pub fn phase(&self) -> Option<Phase> {
        match self.stage {
            Stage::Select | Stage::Plan | Stage::Lift | Stage::Cranelift => None,
            Stage::Clif => Some(Phase::Opt),
            Stage::MachineCode | Stage::Aarch64Code => Some(Phase::Assemble),
        }
    }

    fn single(pass: Pass, stage: Stage, after: &[(Pass, &'static str)]) -> Row {
        Row {
            name: pass.name(),
            passes: vec![(pass, Vec::new())],
            stage,
            analyses: Vec::new(),
            keeps_cfg: None,
            after: after.to_vec(),
        }
    }
}

/// All rows, in the order in which they run.
pub fn rows() -> Vec<Row> {
    let mut rows = vec![Row::single(Pass::MapCalls, Stage::Select, &[])];
    rows.extend(PLANS.iter().map(|plan| Row::single(plan.pass, Stage::Plan, plan.after)));
    rows.extend(
        [Pass::MemoryCalls, Pass::FloatCalls, Pass::TableJumps].map(|pass| Row::single(pass, Stage::Lift, &[])),
    );
    rows.push(Row { keeps_cfg: Some(false), ..Row::single(Pass::Inlining, Stage::Clif, &[]) });
    rows.extend(PIPELINE.iter().map(|row| {
        Row {
            name: row.name,
            passes: row
                .switches
                .iter()
                .map(|&(pass, needs)| (pass, needs.iter().map(|need| need.about()).collect()))
                .collect(),
            stage: Stage::Clif,
            analyses: row.analyses.iter().map(|analysis| analysis.name()).collect(),
            keeps_cfg: Some(row.keeps_cfg),
            after: row.after.to_vec(),
        }
    }));
    let why = "it may merge accesses, but for those that are kept apart";
    rows.push(Row { name: "egraph", ..Row::single(Pass::Egraph, Stage::Cranelift, &[(Pass::Egraph, why)]) });
    let why = "it is done behind Cranelift's optimiser, which moves what it orders";
    rows.push(Row::single(Pass::InstructionScheduling, Stage::Cranelift, &[(Pass::Egraph, why)]));
    rows.extend(x86::STEPS.iter().map(|step| Row::single(step.pass, Stage::MachineCode, step.after)));
    rows.extend(aarch64::STEPS.iter().map(|step| Row::single(step.pass, Stage::Aarch64Code, step.after)));
    rows
}

/// Where a pass works; of [`Pass::Egraph`], which has a part in both, Cranelift.
pub fn stage(pass: Pass) -> Option<Stage> {
    let of = |row: &Row| row.passes.iter().any(|&(of_row, _)| of_row == pass).then_some(row.stage);
    rows().iter().rev().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pass_has_a_row_in_the_order_of_the_switches() {
        let mut passes: Vec<Pass> = Vec::new();
        for row in rows() {
            // The sequence points before Cranelift's optimiser are part of it.
            passes.extend(row.passes.iter().map(|&(pass, _)| pass).filter(|_| row.name != SEQUENCE_POINTS));
        }
        assert_eq!(passes, Pass::ALL);
        assert!(rows().windows(2).all(|pair| pair[0].stage <= pair[1].stage));
    }

    #[test]
    fn rows_run_after_what_they_come_after() {
        let rows = rows();
        let place = |pass| rows.iter().position(|row| row.passes.iter().any(|&(of_row, _)| of_row == pass));
        for (index, row) in rows.iter().enumerate() {
            for &(earlier, why) in &row.after {
                assert!(place(earlier).is_some_and(|place| place < index), "{}: {why}", row.name);
            }
        }
    }

    #[test]
    fn every_pass_has_a_stage() {
        assert!(Pass::ALL.iter().all(|&pass| stage(pass).is_some()));
        assert_eq!(stage(Pass::Egraph), Some(Stage::Cranelift));
    }
}
