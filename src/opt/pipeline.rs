//! The passes over CLIF, in the order in which they run: the rows of [`PIPELINE`], and nothing else decides it.
//!
//! In: a lifted function, the passes that are on. Out: the function after all of them, or after one that was asked for. Where
//! assertions are on, the function is verified after each pass, and what a pass says of the control-flow graph is checked; a
//! failure names the pass. From these rows come `-Z help`, the lines of `--time`, `--emit clif --after`, and `docs/passes.md`.

use cranelift_codegen::Context;
use cranelift_codegen::ir::{Block, Function};
use cranelift_codegen::isa::TargetIsa;

use super::constants::Constants;
use super::ir::analyses::Analyses;
use super::pass::{Analysis, ClifPass, PassContext};
use super::{bits, branches, floats, loops, memory, pressure, reassociate, scalar, wide};
use crate::config::{Need, Pass, Passes, TargetFacts};
use crate::times::{Times, time_pass};

/// The row of what is done for Cranelift's optimiser, before it: its switch is [`Pass::Egraph`].
pub const SEQUENCE_POINTS: &str = "sequence-points";

/// The passes, in order.
pub(crate) const PIPELINE: &[ClifPass] = &[
    ClifPass {
        name: "redundant-parameters",
        switches: &[(Pass::RedundantParameters, &[])],
        analyses: &[],
        keeps_cfg: true,
        after: &[],
        run: scalar::redundant_parameters::run,
    },
    ClifPass {
        name: "implied-branches",
        switches: &[(Pass::ImpliedBranches, &[])],
        analyses: &[Analysis::Predecessors],
        keeps_cfg: false,
        after: &[(Pass::RedundantParameters, "a parameter hides that a number is the same")],
        run: branches::implied_branches::run,
    },
    ClifPass {
        name: "load-combining",
        switches: &[(Pass::LoadCombining, &[])],
        analyses: &[],
        keeps_cfg: true,
        after: &[(Pass::RedundantParameters, "a parameter hides where bytes come from")],
        run: memory::load_combining::run,
    },
    ClifPass {
        name: "store-merging",
        switches: &[(Pass::StoreMerging, &[Need::UnalignedAccess])],
        analyses: &[],
        keeps_cfg: true,
        after: &[(Pass::LoadCombining, "copies of bytes are copies of one number then")],
        run: memory::store_merging::run,
    },
    ClifPass {
        name: "rotates",
        switches: &[(Pass::Rotates, &[])],
        analyses: &[],
        keeps_cfg: true,
        after: &[(Pass::LoadCombining, "masks of what is zero are gone")],
        run: scalar::rotates::run,
    },
    ClifPass {
        name: "bit-counts",
        switches: &[(Pass::BitCounts, &[])],
        analyses: &[],
        keeps_cfg: true,
        after: &[],
        run: bits::run,
    },
    ClifPass {
        name: "float-comparisons",
        switches: &[(Pass::FloatComparisons, &[])],
        analyses: &[Analysis::Predecessors, Analysis::Dominators],
        keeps_cfg: true,
        after: &[],
        run: floats::comparisons::run,
    },
    ClifPass {
        name: "float-values",
        switches: &[(Pass::FloatValues, &[])],
        analyses: &[Analysis::Predecessors, Analysis::Dominators, Analysis::Loops],
        keeps_cfg: true,
        after: &[
            (Pass::LoadCombining, "bytes are put together as integers"),
            (Pass::StoreMerging, "bytes are taken apart as integers"),
        ],
        run: floats::values::run,
    },
    ClifPass {
        name: "loops",
        switches: &[(Pass::LoopVectors, &[Need::Vectors]), (Pass::Unrolling, &[])],
        analyses: &[],
        keeps_cfg: false,
        after: &[
            (Pass::RedundantParameters, "what a loop does not change is no parameter of it"),
            (Pass::LoadCombining, "an element of several bytes is one access"),
            (Pass::StoreMerging, "an element of several bytes is one access"),
        ],
        run: loops::run,
    },
    ClifPass {
        name: "copy-merging",
        switches: &[(Pass::CopyMerging, &[Need::UnalignedAccess])],
        analyses: &[],
        keeps_cfg: false,
        after: &[
            (Pass::LoadCombining, "bytes of a number are one access"),
            (Pass::LoopVectors, "a loop that copies is matched as the program has it"),
            (Pass::Unrolling, "the copies of several iterations lie side by side"),
        ],
        run: memory::copy_merging::run,
    },
    ClifPass {
        name: "absolute-values",
        switches: &[(Pass::AbsoluteValues, &[Need::MachineCodeSteps])],
        analyses: &[],
        keeps_cfg: true,
        after: &[(Pass::LoopVectors, "a loop is matched as the program has it")],
        run: scalar::absolute_values::run,
    },
    ClifPass {
        name: "reassociation",
        switches: &[(Pass::Reassociation, &[]), (Pass::Slp, &[Need::Vectors])],
        analyses: &[Analysis::Predecessors, Analysis::Dominators, Analysis::Loops],
        keeps_cfg: true,
        after: &[(Pass::Unrolling, "the sums of several iterations are one chain")],
        run: reassociate::run,
    },
    ClifPass {
        name: "demanded-bits",
        switches: &[(Pass::DemandedBits, &[])],
        analyses: &[],
        keeps_cfg: true,
        after: &[
            (Pass::LoadCombining, "masks of known zeros are gone"),
            (Pass::Unrolling, "loops are matched as the program has them"),
        ],
        run: scalar::demanded_bits::run,
    },
    ClifPass {
        name: "narrow-values",
        switches: &[(Pass::NarrowValues, &[Need::ExtensionInstructions])],
        analyses: &[],
        keeps_cfg: true,
        after: &[
            (Pass::LoadCombining, "masks of known zeros are gone, which look at words"),
            (Pass::Unrolling, "the conversions are in the way of what it and its neighbours recognise"),
        ],
        run: scalar::narrow_values::run,
    },
    ClifPass {
        name: "disjoint-or",
        switches: &[(Pass::DisjointOr, &[Need::MachineCodeSteps])],
        analyses: &[],
        keeps_cfg: true,
        after: &[
            (Pass::LoadCombining, "bytes of a number are put together by ors"),
            (Pass::Unrolling, "loops are matched as the program has them"),
            (Pass::DemandedBits, "masks that nobody needs are gone"),
        ],
        run: scalar::disjoint_or::run,
    },
    ClifPass {
        name: "wide-arithmetic",
        switches: &[(Pass::WideArithmetic, &[Need::RegisterPairs])],
        analyses: &[Analysis::Predecessors, Analysis::Dominators, Analysis::Loops],
        keeps_cfg: true,
        after: &[(Pass::Unrolling, "loops are matched as the program has them")],
        run: wide::run,
    },
    ClifPass {
        name: "select-to-branch",
        switches: &[(Pass::SelectToBranch, &[])],
        analyses: &[Analysis::Predecessors, Analysis::Dominators, Analysis::Loops],
        keeps_cfg: false,
        after: &[
            (Pass::LoopVectors, "a select can be computed in vectors, and a branch cannot"),
            (Pass::Unrolling, "its blocks may be too many for a loop to be unrolled"),
        ],
        run: branches::select_to_branch::run,
    },
    ClifPass {
        name: "branch-merging",
        switches: &[(Pass::BranchMerging, &[])],
        analyses: &[Analysis::Predecessors],
        keeps_cfg: false,
        after: &[],
        run: branches::branch_merging::run,
    },
    ClifPass {
        name: "indexed-pointers",
        switches: &[(Pass::IndexedPointers, &[Need::MachineCodeSteps])],
        analyses: &[Analysis::Predecessors, Analysis::Dominators, Analysis::Loops],
        keeps_cfg: true,
        after: &[(Pass::Unrolling, "what moves by constants is matched as the program has it")],
        run: loops::indexed_pointers::run,
    },
    ClifPass {
        name: "post-increment",
        switches: &[(Pass::PostIncrement, &[Need::RegisterPairs])],
        analyses: &[Analysis::Predecessors, Analysis::Dominators, Analysis::Loops],
        keeps_cfg: true,
        after: &[(Pass::Unrolling, "the exit tests of all iterations are there")],
        run: loops::post_increment::run,
    },
    ClifPass {
        name: "edge-splitting",
        switches: &[(Pass::EdgeSplitting, &[])],
        analyses: &[Analysis::Predecessors, Analysis::Dominators, Analysis::Loops],
        keeps_cfg: false,
        after: &[(Pass::BranchMerging, "a block on an edge would keep two branches apart")],
        run: branches::edge_splitting::run,
    },
    ClifPass {
        name: "bit-tests",
        switches: &[(Pass::BitTests, &[Need::RegisterPairs, Need::MachineCodeSteps])],
        analyses: &[],
        keeps_cfg: true,
        after: &[(Pass::LoopVectors, "a loop's condition is matched as the program has it")],
        run: branches::bit_tests::run,
    },
    ClifPass {
        name: "low-halves",
        switches: &[(Pass::LowHalves, &[Need::RegisterPairs])],
        analyses: &[],
        keeps_cfg: true,
        after: &[(Pass::Unrolling, "loops are matched as the program has them")],
        run: pressure::low_halves::run,
    },
    ClifPass {
        name: "anchors",
        switches: &[(Pass::Anchors, &[Need::RegisterPairs])],
        analyses: &[Analysis::Predecessors, Analysis::Dominators, Analysis::Loops],
        keeps_cfg: true,
        after: &[(Pass::EdgeSplitting, "where values are used is settled")],
        run: pressure::anchors::run,
    },
    ClifPass {
        name: "narrow-comparisons",
        switches: &[(Pass::NarrowComparisons, &[Need::MachineCodeSteps])],
        analyses: &[],
        keeps_cfg: true,
        after: &[
            (Pass::Unrolling, "a loop's condition is matched as the program has it"),
            (Pass::DemandedBits, "masks that nobody needs are gone"),
        ],
        run: scalar::narrow_comparisons::run,
    },
    ClifPass {
        name: "loop-constants",
        switches: &[(Pass::LoopConstants, &[Need::RegisterPairs])],
        analyses: &[Analysis::Predecessors, Analysis::Dominators, Analysis::Loops],
        keeps_cfg: true,
        after: &[(Pass::Unrolling, "its loops count up to constants")],
        run: pressure::loop_constants::run,
    },
    ClifPass {
        name: "loop-arguments",
        switches: &[(Pass::LoopArguments, &[Need::RegisterPairs])],
        analyses: &[Analysis::Predecessors, Analysis::Dominators, Analysis::Loops],
        keeps_cfg: true,
        after: &[],
        run: pressure::loop_arguments::run,
    },
    ClifPass {
        name: "argument-order",
        switches: &[(Pass::ArgumentOrder, &[])],
        analyses: &[Analysis::Predecessors],
        keeps_cfg: true,
        after: &[(Pass::PostIncrement, "the arguments of back edges are what they will be")],
        run: pressure::argument_order::run,
    },
    ClifPass {
        name: "float-anchors",
        switches: &[(Pass::FloatAnchors, &[Need::MemoryOperands])],
        analyses: &[],
        keeps_cfg: false,
        after: &[
            (Pass::Unrolling, "the loads of several iterations lie side by side"),
            (Pass::EdgeSplitting, "a back edge is looked at with what the iteration computes"),
        ],
        run: pressure::float_anchors::run,
    },
    ClifPass {
        name: SEQUENCE_POINTS,
        switches: &[(Pass::Egraph, &[])],
        analyses: &[Analysis::Predecessors, Analysis::Dominators],
        keeps_cfg: true,
        after: &[(Pass::LoadCombining, "passes may widen accesses, and what comes behind may not")],
        run: memory::sequence_points::run,
    },
];

/// What is the same for all functions.
#[derive(Clone, Copy)]
pub(crate) struct Pipeline<'a> {
    pub(crate) isa: &'a dyn TargetIsa,
    pub(crate) facts: TargetFacts,
    pub(crate) constants: &'a Constants<'a>,
    pub(crate) times: Option<&'a Times>,
}

impl Pipeline<'_> {
    /// Runs the passes that are on, until the one that was asked for has run; `context` is Cranelift's, for reuse.
    pub(crate) fn run(&self, function: &mut Function, passes: Passes, until: Option<Pass>, context: &mut Context) {
        let analyses = Analyses::new(context);
        let mut context = PassContext { facts: self.facts, constants: self.constants, on: Passes::NONE, analyses };
        for pass in PIPELINE {
            context.on = pass.enabled(passes, &self.facts);
            if context.on != Passes::NONE {
                time_pass(self.times, pass.switches[0].0, || self.run_one(pass, function, &mut context));
            }
            if until.is_some_and(|until| pass.switches.iter().any(|&(switch, _)| switch == until)) {
                return;
            }
        }
    }

    fn run_one(&self, pass: &ClifPass, function: &mut Function, context: &mut PassContext<'_>) {
        let before = cfg!(debug_assertions).then(|| edges(function));
        (pass.run)(function, context);
        if let Some(before) = before {
            assert!(!pass.keeps_cfg || before == edges(function), "{} is not to change blocks or edges", pass.name);
            assert!(context.analyses.describes(function), "{} changed what analyses had found", pass.name);
            verify(function, self.isa, pass.name);
        }
    }
}

/// All blocks, and where each leads to.
fn edges(function: &Function) -> Vec<(Block, Vec<Block>)> {
    let leads_to = |block| function.block_successors(block).collect();
    function.layout.blocks().map(|block| (block, leads_to(block))).collect()
}

/// Verifies a function where assertions are on.
///
/// # Panics
///
/// With the name of what broke it.
pub(crate) fn verify(function: &Function, isa: &dyn TargetIsa, broken_by: &str) {
    if cfg!(debug_assertions)
        && let Err(errors) = cranelift_codegen::verify_function(function, isa)
    {
        panic!("{broken_by} broke the function: {errors}\n{}", function.display());
    }
}
